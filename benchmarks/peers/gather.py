# Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
"""gather.py result.json...: the medians over rounds of what weir's program and its peers said, as one JSON document."""

import json
import statistics
import sys

def main(paths):
    found = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        rows = document if isinstance(document, list) else [
            {**row, "library": "weir::" + document["program"], "name": name}
            for row in document["rows"] for name in ("allow", "deny")
            if row["name"] == f"{document['program']}: {name}"]
        for row in rows:
            found.setdefault((row["name"], row["threads"], row["library"]), []).append(row)
    peers = [{"library": library, "name": name, "threads": threads,
              "ns": statistics.median(row["ns"] for row in rows),
              "per_second": statistics.median(row["per_second"] for row in rows)}
             for (name, threads, library), rows in found.items()]
    peers.sort(key=lambda peer: (peer["name"], peer["threads"], peer["ns"]))
    json.dump({"peers": peers}, sys.stdout, indent=1)


if __name__ == "__main__":
    main(sys.argv[1:])
