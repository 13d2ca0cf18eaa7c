"""Writes t2t/text/unicode_alnum.inc: the ranges of categories L* and N*."""

import sys
import unicodedata


def main():
    ranges = []
    start = None
    for code in range(0x110001):
        inside = code < 0x110000 and unicodedata.category(chr(code))[0] in "LN"
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            ranges.append((start, code - 1))
            start = None
    out = sys.stdout
    out.write("// Made by tools/golden/data_unicode.py.\n")
    out.write("// Unicode %s.\n\n" % unicodedata.unidata_version)
    out.write("// First and last of each range.\n")
    out.write("constexpr char32_t kAlphanumericRanges[][2] = {\n")
    line = "   "
    for first, last in ranges:
        item = " {0x%X, 0x%X}," % (first, last)
        if len(line) + len(item) > 80:
            out.write(line + "\n")
            line = "   "
        line += item
    out.write(line + "\n};\n")


if __name__ == "__main__":
    main()
