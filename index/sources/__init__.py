"""Where articles come from: names and bytes, not yet articles.

- folder.py: a folder or a file on this computer
- remote.py: pages, feeds, sitemaps and OPML lists on the web
- listing.py: what feeds, sitemaps and OPML lists name
- web.py: one address fetched, politely and within limits
- address.py, robots.py, headers.py, connection.py: what may be opened, and how it is
"""
