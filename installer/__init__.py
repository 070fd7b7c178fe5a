"""What `smart_install.py` is made of: standard library only, since nothing is installed yet."""
