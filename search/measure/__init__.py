"""What is measured of designs on search and calibration images, compensated where that helps."""
