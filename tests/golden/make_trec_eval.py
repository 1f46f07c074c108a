#!/usr/bin/env python3
"""Makes tests/golden/trec_eval: generated runs and judgements, and what three builds of trec_eval say of them.

    python3 tests/golden/make_trec_eval.py VERSION=PROGRAM ...

with the versions 9.0.8 (tag v9.0.8, commit d95ca64, September 2020: the last with float scores; it calls itself 9.0.7),
9.0.8-2023 (tag trec_eval-9.0.8, commit d4dd9d9: scores are doubles) and 10.0 (tag v10.0, commit f425365). Build each
with "make" in a checkout of https://github.com/usnistgov/trec_eval outside this repository.

Every pair NAME has NAME.qrels, NAME.run and NAME.expected.gz: for each version and each set of options a line
"## VERSION | EXIT CODE | OPTIONS" and then the standard output, or "= VERSION" where it equals that version's.
The pairs come from the seed below alone; only the outputs need the programs.
"""

import gzip
import math
import os
import random
import struct
import subprocess
import sys

SEED = 20261124
VERSIONS = ["9.0.8", "9.0.8-2023", "10.0"]
OPTIONS = [
    "-q -m all_trec",
    "-q -c -m all_trec",
    "-q -c -l 2 -m all_trec",
    "-q -c -M 10 -m all_trec",
]
# One pair also has the options that few papers use; 9.0.8 knows no dcg.
MORE_OPTIONS = [
    "-c",
    "-c -n -q -m map -m P.1,3 -m recip_rank",
    "-c -m set",
    "-c -J -m map -m P -m recall.5 -m bpref -m ndcg_cut.5,10",
    "-c -q -m success.3,2 -m ndcg.1=2,2=5,3=9 -m relstring.4 -m utility.2,-1,-0.5,0 -m set_F.0.5",
    "-c -m 11pt_avg.0.2,0.5,0.8 -m iprec_at_recall.0.25,0.75 -m Rprec_mult.0.5 -m yaap -m G.1=1,2=4 -m relative_P.7",
]

random_source = random.Random(SEED)


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def scores_continuous(count):
    return [random_source.gauss(10, 4) for _ in range(count)]


def scores_tied(count):
    return [random_source.randrange(4) for _ in range(count)]


def scores_all_equal(count):
    return [1.5] * count


def scores_below_float32(count):
    """Doubles that differ, in groups that are one and the same float32."""
    scores = []
    for _ in range(count):
        centre = float32(1 + random_source.randrange(3))
        scores.append(centre + random_source.randrange(-9, 10) * 1e-9)
    return scores


def scores_extreme(count):
    return [random_source.choice([-1, 1]) * 10 ** random_source.uniform(-40, 37) for _ in range(count)]


def document(number, style):
    if style == "numbers":
        return str(number)
    if style == "unicode":
        return ["ä", "Z", "\uff5e", "\U0001f600", "é"][number % 5] + str(number)
    return "D%04d-%d" % (number * 7919 % 10000, number)


def judgements(style, topic_index):
    """Documents 0..n-1 with their levels."""
    if style == "binary":
        return [(d, int(random_source.random() < 0.3)) for d in range(24)]
    if style == "graded":
        return [(d, random_source.choice([0, 0, 0, 1, 1, 2, 3])) for d in range(30)]
    if style == "gaps in the levels":
        return [(d, random_source.choice([0, 0, 2, 5, 12])) for d in range(20)]
    if style == "unjudged in the pool":
        return [(d, random_source.choice([-1, -1, 0, 0, 1, 2])) for d in range(30)]
    if style == "very negative":
        return [(d, random_source.choice([-2, -1, 0, 1, 1, 2])) for d in range(20)]
    if style == "sparse":
        return [(random_source.randrange(40), 1)]
    if style == "only positive":
        return [(d, random_source.choice([1, 2, 3])) for d in range(18)]
    if style == "some topics without relevant documents":
        return [(d, random_source.choice([0, 1, 2]) if topic_index % 2 else 0) for d in range(12)]
    if style == "level one only above":
        return [(d, random_source.choice([0, 1]) if topic_index % 2 else random_source.choice([1, 2])) for d in range(16)]
    if style == "only pool":
        return [(d, -1 if topic_index == 1 else random_source.choice([0, 1])) for d in range(10)]
    if style == "many":
        return [(d, random_source.choice([0, 0, 0, 1, 2])) for d in range(1300)]
    raise ValueError(style)


def pair(judged="graded", scores=scores_continuous, topics=4, retrieved=(5, 45), universe=45, ids="names",
         topic_ids=None, only_judged=(), only_run=(), ranks="right", separator=" ", extra="", comment=False, tag="golden"):
    qrels, run = [], []
    for index in range(topics):
        topic = topic_ids[index] if topic_ids else str(301 + index)
        levels = dict(judgements(judged, index))
        for d in sorted(levels, key=lambda d: random_source.random()):
            qrels.append("%s 0 %s %d" % (topic, document(d, ids), levels[d]))
        if index in only_judged:
            continue
        count = min(universe, random_source.randint(*retrieved))
        found = random_source.sample(range(universe), count)
        ordered = sorted(zip(scores(count), found), key=lambda pair: -pair[0])
        for position, (score, d) in enumerate(ordered):
            rank = {"right": position + 1, "wrong": count - position, "zero": 0}[ranks]
            run.append(separator.join([topic, "Q0", document(d, ids), str(rank), repr(score), tag]) + extra)
    for topic in only_run:
        run.append("%s Q0 %s 1 1.0 %s" % (topic, document(1, ids), tag))
    random_source.shuffle(qrels)
    if comment:
        run.insert(0, "# made by a test")
    return "\n".join(qrels) + "\n", "\n".join(run) + "\n"


def duplicated(text):
    lines = text.splitlines()
    return text + lines[len(lines) // 2] + "\n"


def pairs():
    made = {
        "binary": pair("binary"),
        "binary-ties": pair("binary", scores_tied),
        "graded": pair("graded"),
        "graded-ties": pair("graded", scores_tied),
        "all-scores-equal": pair("graded", scores_all_equal),
        "below-float32": pair("graded", scores_below_float32, retrieved=(30, 45)),
        "below-float32-binary": pair("binary", scores_below_float32, retrieved=(30, 45)),
        "extreme-scores": pair("graded", scores_extreme),
        "gaps-in-levels": pair("gaps in the levels", scores_tied),
        "unjudged-in-pool": pair("unjudged in the pool", retrieved=(20, 45)),
        "unjudged-in-pool-ties": pair("unjudged in the pool", scores_tied, retrieved=(20, 45)),
        "very-negative-levels": pair("very negative", retrieved=(15, 30)),
        "one-relevant-document": pair("sparse", topics=6),
        "only-relevant-judged": pair("only positive", scores_tied),
        "topics-without-relevant": pair("some topics without relevant documents", scores_tied),
        "nothing-at-level-2": pair("level one only above"),
        "topic-only-in-pool": pair("only pool", topics=3),
        "missing-topics": pair("graded", scores_tied, topics=6, only_judged=(0, 2, 5)),
        "missing-topics-unjudged": pair("unjudged in the pool", topics=5, only_judged=(1, 4)),
        "topics-not-judged": pair("binary", scores_tied, only_run=("12", "zzz")),
        "short-runs": pair("graded", retrieved=(1, 3)),
        "one-document-found": pair("binary", retrieved=(1, 1), topics=5),
        "long-run": pair("many", scores_tied, topics=1, universe=1500, retrieved=(1400, 1400), ids="numbers"),
        "ids-beyond-ascii": pair("graded", scores_tied, ids="unicode"),
        "numeric-ids": pair("graded", scores_tied, ids="numbers"),
        "topic-order": pair("binary", topic_ids=["10", "9", "2b", "B"], topics=4),
        "wrong-ranks": pair("graded", scores_tied, ranks="wrong"),
        "tabs-and-more-columns": pair("binary", scores_tied, ranks="zero", separator="\t ", extra=" more\tcolumns"),
        "options": pair("graded", scores_tied, topics=3, only_judged=(1,)),
    }
    qrels, run = pair("binary", topics=3)
    made["refused-document-twice"] = (qrels, duplicated(run))
    made["refused-judged-twice"] = (duplicated(qrels), run)
    made["refused-no-common-topic"] = (qrels, "9 Q0 D0000-0 1 1.0 golden\n")
    made["refused-short-line"] = (qrels, run + "301 Q0 D1 7 0.5\n")
    return made


def output(program, options, qrels, run):
    done = subprocess.run([program, *options.split(), qrels, run], capture_output=True, check=False)
    return done.returncode, done.stdout.decode()


def main():
    programs = dict(argument.split("=", 1) for argument in sys.argv[1:])
    if sorted(programs) != sorted(VERSIONS):
        sys.exit(__doc__)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trec_eval")
    os.makedirs(folder, exist_ok=True)
    for name, (qrels, run) in pairs().items():
        paths = [os.path.join(folder, name + end) for end in (".qrels", ".run")]
        for path, text in zip(paths, (qrels, run)):
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
        sections = []
        for options in OPTIONS + (MORE_OPTIONS if name == "options" else []):
            known = {}
            for version in VERSIONS:
                code, text = output(programs[version], options, *paths)
                sections.append("## %s | %d | %s\n" % (version, code, options))
                sections.append("= %s\n" % known[text] if text in known else text)
                known.setdefault(text, version)
        with open(os.path.join(folder, name + ".expected.gz"), "wb") as file:
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as zipped:
                zipped.write("".join(sections).encode())


if __name__ == "__main__":
    main()
