"""Networks and their losses, as functions of ordinary pytrees."""
