"""What the paper reports."""

# Table II of Jain et al., DATE 2022: ResNet-50 on ImageNet, a commercial flow below 10 nm.
PAPER_ROWS = (
    ("exact", 1.000, 1.000, 72.1), ("greedy", 0.976, 1.281, 71.2), ("Vizier", 0.969, 2.712, 65.8),
    ("AutoApprox S", 0.939, 1.844, 66.5), ("AutoApprox L", 0.968, 0.948, 72.5),
    ("AutoApprox XL", 1.024, 1.189, 73.1),
)
