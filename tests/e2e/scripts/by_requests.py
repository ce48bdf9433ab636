"""The library requests: a form with lists, and JSON."""
import sys

import requests

url, user, password, to, text = sys.argv[1:]
numbers = to.split()
form = requests.post(url, data={"to": numbers, "text": text}, auth=(user, password), timeout=30)
form.raise_for_status()
asked = requests.post(url, json={"to": numbers, "text": text + " (JSON)"}, auth=(user, password), timeout=30)
asked.raise_for_status()
