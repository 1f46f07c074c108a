"""Compares two files of vectors that `tern encode` wrote of the same texts: one JSON line, exit code 1 below the least cosine."""
import json
import math
import sys


def read(path):
    vectors = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            vector = record["vector"]
            vectors[record["id"]] = vector if isinstance(vector, dict) else dict(enumerate(vector))
    return vectors


def cosine(a, b):
    product = sum(weight * b.get(term, 0) for term, weight in a.items())
    norm = math.sqrt(sum(w * w for w in a.values()) * sum(w * w for w in b.values()))
    return product / norm if norm else 1.0


def main():
    actual, expected, precision = read(sys.argv[1]), read(sys.argv[2]), sys.argv[3]
    limit = 0.99999 if precision == "f32" else 0.999
    cosines = [cosine(actual[name], expected[name]) for name in expected]
    passed = bool(cosines) and actual.keys() == expected.keys() and min(cosines) >= limit
    print(json.dumps({"phase": "parity", "precision": precision, "texts": len(cosines), "least_cosine": min(cosines, default=None), "limit": limit, "passed": passed}))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
