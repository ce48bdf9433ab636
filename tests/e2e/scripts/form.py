"""A form by urllib, as cron jobs send one; in the charset that they are told."""
import base64
import sys
import urllib.parse
import urllib.request

url, user, password, charset, to, text = sys.argv[1:]
form = urllib.parse.urlencode({"to": to, "text": text}, encoding=charset).encode("ascii")
request = urllib.request.Request(url, form)
request.add_header("Content-Type", f"application/x-www-form-urlencoded; charset={charset}")
credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
request.add_header("Authorization", f"Basic {credentials}")
with urllib.request.urlopen(request, timeout=30) as answer:
    print(answer.status, answer.read().decode())
