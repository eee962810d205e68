"""The certificate: which designs are judged on the certify images, and what may be said of them."""
