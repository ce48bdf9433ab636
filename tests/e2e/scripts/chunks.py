"""JSON by http.client in chunks, one object after another over the same connection."""
import http.client
import json
import sys

host, key, to, *texts = sys.argv[1:]
connection = http.client.HTTPConnection(host, timeout=30)
for text in texts:
    body = json.dumps({"phone_number": to.split(), "message": text}, ensure_ascii=False).encode()
    pieces = (body[at : at + 7] for at in range(0, len(body), 7))
    headers = {"Content-Type": "application/json", "X-Api-Key": key}
    connection.request("POST", "/sms", pieces, headers, encode_chunked=True)
    answer = connection.getresponse()
    print(answer.status, answer.read().decode())
    if answer.status != 200:
        sys.exit(1)
