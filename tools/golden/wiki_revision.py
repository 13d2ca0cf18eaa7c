"""Writes tests/golden/problems/revisions.json: T2T's wiki_revision_utils, run.

    python3 tools/golden/wiki_revision.py <tensor2tensor checkout> \
        tests/golden/problems/revisions.json

Takes the functions that need nothing but Python out of the file: which revisions
are taken, what is left of a text, and the runs of two sequences.
"""

import ast
import json
import math
import os
import random
import re
import sys

NAMES = ("include_revision", "strip_text", "_find_and_replace",
         "_remove_references", "_remove_triple_quotes", "_remove_curly_braces",
         "_remove_double_brackets", "_remove_boring_lines",
         "fast_match_sequences")
TEXTS = (
    "Plain text.\n* a list\n'''Bold''' begins.\n\"Quoted\" line",
    "A {{template|{{inside}} it}} stays.\n{{Infobox\n|a=b}}\nEnd {open",
    "See [[Berlin|the city]] and [[Paris]].[[Category:Towns]]\n[[File:x]]",
    "Ref&lt;ref name=x&gt;gone&lt;/ref&gt; and &lt;ref&gt;never closed",
    "== Title ==\nText '''bold [[a|b]]''' {x}\n_underscore\n\u00c9t\u00e9\n}odd{",
    "",
)


def main():
  path = os.path.join(sys.argv[1],
                      "tensor2tensor/data_generators/wiki_revision_utils.py")
  with open(path, encoding="utf-8") as file:
    tree = ast.parse(file.read())
  tree.body = [node for node in tree.body
               if isinstance(node, ast.FunctionDef) and node.name in NAMES]
  t2t = {"math": math, "re": re}
  exec(compile(tree, path, "exec"), t2t)  # pylint: disable=exec-used
  rng = random.Random(3)
  pairs = []
  for size, symbols in ((0, 3), (1, 3), (12, 4), (40, 3), (60, 30), (90, 12)):
    a = [rng.randrange(symbols) for _ in range(size)]
    b = list(a)
    for _ in range(size // 6):
      at = rng.randrange(len(b))
      b[at:at + rng.randrange(3)] = [
          rng.randrange(symbols) for _ in range(rng.randrange(3))
      ]
    pairs.append((a, b))
    pairs.append((a, [rng.randrange(symbols) for _ in range(size // 2)]))
  golden = {
      "taken": {
          str(factor): [n for n in range(60) if t2t["include_revision"](
              n, factor)] for factor in (1.0, 1.1, 1.5, 2.0)
      },
      "texts": [[text, t2t["strip_text"](text)] for text in TEXTS],
      "matches": [{
          "a": a,
          "b": b,
          "runs": [[tag == "equal", i1, i2, j1, j2]
                   for tag, i1, i2, j1, j2 in t2t["fast_match_sequences"](a, b)]
      } for a, b in pairs],
  }
  with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(golden, file, sort_keys=True)
    file.write("\n")


if __name__ == "__main__":
  main()
