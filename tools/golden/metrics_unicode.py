"""Writes t2t/metrics/unicode_tables.inc.

usage: PYTHONPATH=<folder of tensor2tensor> python metrics_unicode.py > ...inc

Asks the very regular expressions that T2T and sacreBLEU use about each code
point, and Python's str.lower().
"""

import re
import sys
import types
import unicodedata

import regex

for name in ("tensorflow_addons", "gin", "gin.tf", "tf_slim", "gym", "bz2file"):
  sys.modules.setdefault(name, types.ModuleType(name))

from sacrebleu.tokenizers import tokenizer_zh
from tensor2tensor.utils import bleu_hook

# Surrogates are no text (ours stand for bytes that are no UTF-8).
CODES = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def ranges(test):
  """First and last of each run of code points that pass the test."""
  found = []
  for code in CODES:
    if not test(chr(code)):
      continue
    if found and found[-1][1] == code - 1:
      found[-1][1] = code
    else:
      found.append([code, code])
  return found


def write_rows(name, rows, comment, width):
  print("// " + comment)
  print("constexpr %s %s[][%d] = {" % (
      "char32_t" if width == 2 else "int32_t", name, width))
  line = "   "
  for row in rows:
    item = " {" + ", ".join(
        "0x%X" % n if i < 2 else str(n) for i, n in enumerate(row)) + "},"
    if len(line) + len(item) > 80:
      print(line)
      line = "   "
    line += item
  print(line + "\n};\n")


def lower_ranges():
  """Runs (first, last, step, difference) of code points with one lower case."""
  found = []
  special = []
  for code in CODES:
    lower = chr(code).lower()
    if lower == chr(code):
      continue
    if len(lower) > 1:
      special.append((code, lower))
      continue
    difference = ord(lower) - code
    if found and found[-1][3] == difference:
      first, last, step, _ = found[-1]
      if first == last and code - last in (1, 2):
        found[-1] = [first, code, code - last, difference]
        continue
      if code - last == step:
        found[-1][1] = code
        continue
    found.append([code, code, 1, difference])
  # U+0130, "i" and a dot above, is the one of several; written out in the code.
  assert special == [(0x130, "i\u0307")], special
  return found


def main():
  uregex = bleu_hook.uregex
  print("// Made by tools/golden/metrics_unicode.py: Unicode %s, and that of "
        "the\n// regex module %s for sacreBLEU.\n" % (
            unicodedata.unidata_version, regex.__version__))
  write_rows("kT2TPunctuation", ranges(
      lambda c: uregex.punct_nondigit_re.match(c + "a")),
             "What T2T takes as punctuation (without the backslash).", 2)
  write_rows("kT2TSymbols", ranges(uregex.symbol_re.match),
             "What T2T takes as symbols.", 2)
  digit = re.compile(r"\d")
  write_rows("kDigits", ranges(digit.match), r"Python's \d.", 2)
  write_rows("kPunctuation", ranges(regex.compile(r"\p{P}").match),
             r"\p{P}", 2)
  write_rows("kSymbols", ranges(regex.compile(r"\p{S}").match), r"\p{S}", 2)
  write_rows("kNumbers", ranges(regex.compile(r"\p{N}").match), r"\p{N}", 2)
  write_rows("kChinese", ranges(
      tokenizer_zh.TokenizerZh._is_chinese_char),
             "What sacreBLEU takes as Chinese (it reads two ranges "
             "otherwise than\n// they were meant).", 2)
  ends = lambda text: text.lower()[-1] == "\u03c2"
  write_rows("kCased", ranges(lambda c: ends(c + "\u03a3")),
             "Cased letters that a final sigma may follow.", 2)
  write_rows("kCaseIgnorable", ranges(
      lambda c: ends("a" + c + "\u03a3") and not ends(c + "\u03a3")),
             "What a final sigma looks through.", 2)
  write_rows("kLower", lower_ranges(),
             "Code points with a lower case: first, last, step, difference.",
             4)


if __name__ == "__main__":
  main()
