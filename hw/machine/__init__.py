"""The accelerator as data: bank, design, operands, instructions and their timing."""
