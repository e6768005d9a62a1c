"""Real data: scikit-learn's digits, text that ships with Python, and any folder of images."""
