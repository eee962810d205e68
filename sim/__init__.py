"""The golden model: networks computed bit for bit as the arrays would."""
