"""Where articles come from: names and bytes, not yet articles.

- folder.py: a folder or a file on this computer
"""
