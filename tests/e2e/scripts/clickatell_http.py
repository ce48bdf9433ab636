"""A client of Clickatell's HTTP API that is steered by nothing but `http_proxy`."""
import json
import sys

from clickatell.http import Http

how, user, password, text, *to = sys.argv[1:]
extra = {}
if how == "unicode":
    extra, text = {"unicode": 1}, text.encode("utf-16-be").hex()
print(json.dumps(Http(user, password, "3141592").sendMessage(to, text, extra)))
