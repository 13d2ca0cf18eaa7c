"""Writes tests/golden/data by running Tensor2Tensor's own Python.

PYTHONPATH=<tensor2tensor's source> python tools/golden/data.py tests/golden/data

Bytes stand in the JSON as hex, since some of them are not UTF-8: such text is
given to T2T as Python's "surrogateescape" decodes it.
"""

import json
import os
import random
import sys

import tensorflow.compat.v1 as tf
from tensor2tensor.data_generators import text_encoder
from tensor2tensor.data_generators import tokenizer


def to_hex(text):
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogateescape")
    return text.hex()


def decodable(text):
    """Whether the text can be written as bytes (T2T can make others)."""
    try:
        text.encode("utf-8", "surrogateescape")
        return True
    except UnicodeEncodeError:
        return False


WORDS_EN = ("the a small house red old river stone walks walked walking light "
            "lights lighter night tonight under over understand stands man "
            "woman children two three twenty forty hundred thousand").split()
WORDS_DE = ("der die das kleine Haus rote alte Fluß Stein geht gegangen über "
            "Übermut Männer Frau Kinder zwei drei zwanzig vierzig hundert "
            "tausend Straßenbahn Straße Bahn Bahnhof").split()
WORDS_OTHER = ("мир мира миру дом дома 日本 日本語 東京 東京都 한국 한국어 שלום "
               "مرحبا नमस्ते 𝔘𝔫𝔦 👍🏽 e\u0301te\u0301 ½ Ⅷ ²³ a_b \\n \\u _ "
               "don't it's x=1;").split(" ")


def corpus(words, lines, seed, noise=""):
    rng = random.Random(seed)
    result = []
    for _ in range(lines):
        count = rng.randint(1, 9)
        # Low numbers are frequent, as words are in text.
        picked = [words[int(len(words) * rng.random() ** 2)]
                  for _ in range(count)]
        line = " ".join(picked)
        if noise and rng.random() < 0.3:
            line += rng.choice(noise) + rng.choice(words)
        result.append(line + rng.choice([".", "!", " ?", "", " ..."]))
    return result


def made_up_words(count, syllables, seed):
    rng = random.Random(seed)
    return ["".join(rng.choice(syllables) for _ in range(rng.randint(1, 5)))
            for _ in range(count)]


WORDS_EN += made_up_words(400, "str ing er un de re ly able tion s th ou gh "
                          "a e i o ea con pre ment fl ow st one".split(), 8)
WORDS_DE += made_up_words(300, "ge sch ung en lich keit über ß ö ver ein st "
                          "ack Haus un t er".split(), 9)
WORDS_OTHER += made_up_words(200, "мир дом ство ый по при 日 本 東 語 京 한 국 어 "
                             "न म स् ते é e\u0301 👍 1 20 _ \\\\".split(), 10)

CORPORA = {
    "en": corpus(WORDS_EN, 400, 1),
    "ende": corpus(WORDS_EN + WORDS_DE, 500, 2, noise="-–_\\\"'\t"),
    "mixed": corpus(WORDS_OTHER + WORDS_DE[:8], 300, 3, noise="_\\;0195\u00a0"),
}

# corpus, build_to_target_size: target, min, max, max_subtoken_length, reserved
BUILDS = [
    ("en", 80, 1, 1000, None, None),
    ("en", 150, 1, 1000, None, None),
    ("en", 1000, 1, 1000, None, None),
    ("ende", 120, 1, 1000, None, None),
    ("ende", 300, 1, 200, None, None),
    ("ende", 300, 1, 1000, 4, None),
    ("ende", 200, 1, 1000, 2, None),
    ("ende", 200, 1, 1000, 1, None),
    ("mixed", 150, 1, 1000, None, None),
    ("mixed", 250, 1, 1000, 6, ["<pad>", "<EOS>", "<my_token>", "{x}"]),
    ("mixed", 400, 2, 3, None, None),
    ("mixed", 10, 1, 20, None, None),
]

# corpus, build_from_token_counts: min_count, iterations, max_subtoken_length
MIN_COUNTS = [
    ("en", 1, 4, None),
    ("en", 20, 1, None),
    ("ende", 3, 2, None),
    ("ende", 0, 4, 8),
    ("mixed", 2, 4, None),
    ("mixed", 100000, 4, None),
]

TEXTS = [
    "", " ", "  ", "a", "_", "\\", "\\u", "\\\\", "\\65;", "a b", "a  b",
    " a b ", "\ta\nb\r\n", "Dude - that's so cool.", "the small house.",
    "The quick brown fox: 3.14 × 10²!", "der Fluß, über-Männer",
    "日本語 text 東京", "नमस्ते दुनिया", "שלום עולם", "مرحبا 123 ١٢٣",
    "e\u0301te\u0301 été", "½ Ⅷ ² ₃ ①", "𝔘𝔫𝔦 👍🏽👩‍👩‍👧", "a\u00a0b\u2003c\u3000d",
    "\x00a\x00", "a_b\\c;0 \\10; \\u_", "don't it's x=1;", "<pad> <EOS>",
    "<pad>_ <EOS>_", "\u0085\u2028\u2029", "ǅ ʰ ª º", "\ufeffbom",
    "\U0010ffff \U000e0001 \ue000", "ꙮ ⅓ ㊿ 〇 ㆒", "--  --", "a. .b", "1a1 a1a",
    "thehousetonightunderstand", "x" * 50, "\u3013",
    b"\xff".decode("utf-8", "surrogateescape"),
    b"a\xffb \xc3\x28 \xe2\x82".decode("utf-8", "surrogateescape"),
    b"\xed\xa0\x80 \xf4\x90\x80\x80 \xc0\x80".decode("utf-8",
                                                     "surrogateescape"),
    b"caf\xe9 au lait \xa0".decode("utf-8", "surrogateescape"),
]


# Two of these texts have letters that are new in Unicode 15, which Python 3.11
# does not know: golden.json has the tokens that Python 3.12 makes of them.
def random_texts(count, seed):
    rng = random.Random(seed)
    pools = ["abcXYZ019 _\\;u'-.", "äößéçñ ", "мирдом ", "日本東京語 ",
             "한국어 ", "½Ⅷ²³①", "👍🏽\u200d\u0301\u0903", "\u00a0\u2003\n\t\r"]
    texts = []
    for _ in range(count):
        pool = "".join(rng.sample(pools, rng.randint(1, 3)))
        texts.append("".join(rng.choice(pool)
                             for _ in range(rng.randint(1, 40))))
    for _ in range(count // 2):
        texts.append("".join(chr(rng.choice([
            rng.randrange(0x300), rng.randrange(0x3000), rng.randrange(0xd800),
            rng.randrange(0xe000, 0x10000), rng.randrange(0x10000, 0x20000)]))
                             for _ in range(rng.randint(1, 20))))
    return texts


QUIRKS = (b"'<pad>_'\n'<EOS>_'\n'a'\n\"b\"\nc\nd  \n'e'  \n'f \n'\n''\n'''\n"
          b"\n\"'\"\n'\\'\n'_'\n'u'\n';'\n'0'\n'1'\n'2'\n'3'\n'4'\n'5'\n'6'\n"
          b"'7'\n'8'\n'9'\n'\r'\n'g'\r\n'h\xc2\xa0'\xe3\x80\x80\n'a'\n"
          b"'\xc3\xa9t'\n'\\5'\n'6;'\n' x'\n'last")


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def encode_cases(encoder, texts, rng):
    """Texts stand by their place in "tokenizer"."""
    cases = []
    for i, text in enumerate(texts):
        ids = encoder.encode(text)
        case = {"text": i, "ids": ids}
        decoded = encoder.decode(ids)
        if decoded != text:
            case["decoded"] = to_hex(decoded)
        if i < 40:
            case["whole"] = encoder.encode_without_tokenizing(text)
        cases.append(case)
    decodes = []
    for _ in range(80):
        ids = [rng.randrange(-1, encoder.vocab_size + 2)
               for _ in range(rng.randint(0, 12))]
        ids += [rng.choice([0, 1]) for _ in range(rng.randint(0, 3))]
        both = [encoder.decode(ids), encoder.decode(ids, strip_extraneous=True)]
        if all(decodable(text) for text in both):
            decodes.append({
                "ids": ids,
                "decoded": to_hex(both[0]),
                "stripped": to_hex(both[1]),
                "list": [to_hex(s) for s in encoder.decode_list(ids)],
            })
    return {"encode": cases, "decode": decodes}


def unescape_cases():
    """Escapes spelled out in the subtokens of a vocabulary."""
    subtokens = ["<pad>_", "<EOS>_", "_", "\\", "u", ";", "a", "1", "5", "6",
                 "0", "9", "\\65;", "\\u", "\\\\", "\\56448;", "\\1114111;",
                 "\\1114112;", "\\99999999999999999999;", "\\;", "\\a", "é",
                 " ", "\\195;", "\\0;"]
    encoder = text_encoder.SubwordTextEncoder()
    encoder._init_subtokens_from_list(subtokens)
    rng = random.Random(5)
    cases = []
    while len(cases) < 300:
        ids = [rng.randrange(len(subtokens)) for _ in range(rng.randint(1, 9))]
        text = encoder.decode(ids)
        if decodable(text):
            cases.append({"ids": ids, "decoded": to_hex(text)})
    return {"subtokens": [to_hex(s) for s in subtokens], "cases": cases}


def other_encoders(folder):
    result = {}
    rng = random.Random(7)
    byte = text_encoder.ByteTextEncoder()
    texts = ["", "abc", "été 日本 👍", "\x00\n"]
    decodes = [[rng.randrange(0, 258) for _ in range(rng.randint(0, 12))]
               for _ in range(60)]
    decodes += [[b + 2 for b in raw] for raw in (
        b"\xe2\x82A", b"\xf0\x9f\x98", b"\xf0\x80\x80\x80", b"\xed\xa0\x80",
        b"\xc3\xa9", b"\xf4\x90\x80\x80", b"\xe2\x82\xac\xff", b"\x80\x80")]
    decodes += [[70, 71, 1, 0, 0], [0, 0], [70, 0, 71, 1]]
    result["byte"] = {
        "encode": [[to_hex(t), byte.encode(t)] for t in texts],
        "decode": [[ids, to_hex(byte.decode(ids)),
                    to_hex(byte.decode(ids, strip_extraneous=True))]
                   for ids in decodes],
    }
    number = text_encoder.TextEncoder()
    result["int"] = {
        "encode": [[t, number.encode(t)] for t in ["", "1 2  3", " 40\t-5 "]],
        "decode": [[ids, number.decode(ids),
                    number.decode(ids, strip_extraneous=True)]
                   for ids in [[], [0, 1, 2, 3], [9, 1, 0], [-3, 5]]],
    }
    tokens = ["the", "house", "UNK", "<EOS>", "été", "the"]
    listed = text_encoder.TokenTextEncoder(None, vocab_list=tokens,
                                           replace_oov="UNK")
    backward = text_encoder.TokenTextEncoder(None, vocab_list=tokens,
                                             reverse=True, replace_oov="UNK")
    path = os.path.join(folder, "words.tokens")
    write(path, "<pad>\n<EOS>\nthe\n house \r\nUNK\n\nété\u2003\nend".encode())
    filed = text_encoder.TokenTextEncoder(path, replace_oov="UNK")
    texts = ["", "the house", " été\u2003the\u00a0x  house ", "the end <EOS>"]
    ids = [[], [0, 1, 2, 3, 4, 5, 6, 7, 8, 99, -1], [3, 2, 1]]
    result["token"] = {"list": tokens}
    for name, encoder in [("listed", listed), ("backward", backward),
                          ("filed", filed)]:
        result["token"][name] = {
            "size": encoder.vocab_size,
            "encode": [[t, encoder.encode(t)] for t in texts],
            "decode": [[i, encoder.decode(i)] for i in ids],
        }
    stored = os.path.join(folder, "listed.tokens")
    listed.store_to_file(stored)
    labels = text_encoder.ClassLabelEncoder(["neg", "pos", "other"])
    one_hot = text_encoder.OneHotClassLabelEncoder(["neg", "pos", "other"])
    result["label"] = [[name, labels.encode(name), one_hot.encode(name)]
                       for name in ["neg", "pos", "other"]]
    real = text_encoder.RealEncoder()
    values = [0.0, 1.0, -2.5, 1e-4, 1e-5, 123456789.0, 1e15, 1e16, 1.5e300,
              0.1, 1 / 3, -0.0, 100000.0, 12345678901234567.0, 5e-324]
    result["real"] = [values, real.decode(values)]
    return result


def examples(folder):
    features = [
        {},
        {"inputs": [1, 2, 3, 300, 1 << 40, -1, -(1 << 63), (1 << 63) - 1],
         "targets": [0]},
        {"z": [1.5, -0.0, 3.4e38], "a": [b"", b"\xff\x00text"],
         "m": list(range(200))},
        {"empty": []},
        {"": [7]},
    ]
    result = []
    for dictionary in features:
        example = tf.train.Example()
        example.features.SetInParent()
        for name, values in dictionary.items():
            feature = example.features.feature[name]
            if not values:
                feature.int64_list.SetInParent()
            elif isinstance(values[0], bytes):
                feature.bytes_list.value.extend(values)
            elif isinstance(values[0], float):
                feature.float_list.value.extend(values)
            else:
                feature.int64_list.value.extend(values)
        result.append(example.SerializeToString(deterministic=True))
    with tf.python_io.TFRecordWriter(os.path.join(folder, "five.tfrecord")) as w:
        for record in result:
            w.write(record)
    return [record.hex() for record in result]


def main(folder):
    os.makedirs(folder, exist_ok=True)
    texts = TEXTS + random_texts(80, 11)
    golden = {"tokenizer": []}
    for text in texts:
        tokens = tokenizer.encode(text)
        golden["tokenizer"].append({
            "text": to_hex(text),
            "tokens": [to_hex(t) for t in tokens],
            "decoded": to_hex(tokenizer.decode(tokens)),
        })

    builds = []
    token_counts = {}
    for name, lines in CORPORA.items():
        path = os.path.join(folder, "corpus_%s.txt" % name)
        write(path, ("\n".join(lines) + "\n").encode())
        token_counts[name] = tokenizer.corpus_token_counts(path, 0)
    for i, (name, target, low, high, limit, reserved) in enumerate(BUILDS):
        encoder = text_encoder.SubwordTextEncoder.build_to_target_size(
            target, token_counts[name], low, high, max_subtoken_length=limit,
            reserved_tokens=reserved)
        vocab = "target_%d.subwords" % i
        encoder.store_to_file(os.path.join(folder, vocab))
        builds.append({"corpus": name, "target": target, "min": low,
                       "max": high, "limit": limit or 0,
                       "reserved": reserved or [], "vocab": vocab})
    counted = []
    for i, (name, count, iterations, limit) in enumerate(MIN_COUNTS):
        encoder = text_encoder.SubwordTextEncoder()
        encoder.build_from_token_counts(token_counts[name], count, iterations,
                                        max_subtoken_length=limit)
        vocab = "count_%d.subwords" % i
        encoder.store_to_file(os.path.join(folder, vocab))
        counted.append({"corpus": name, "count": count,
                        "iterations": iterations, "limit": limit or 0,
                        "vocab": vocab})
    # Whole texts, with newlines, through build_from_generator.
    texts_with_newlines = ["\n".join(CORPORA["ende"][i:i + 7])
                           for i in range(0, 210, 7)]
    encoder = text_encoder.SubwordTextEncoder.build_from_generator(
        iter(texts_with_newlines), 200)
    encoder.store_to_file(os.path.join(folder, "newlines.subwords"))
    encoder.store_to_file(os.path.join(folder, "unquoted.subwords"),
                          add_single_quotes=False)
    golden["build_to_target_size"] = builds
    golden["build_from_token_counts"] = counted
    golden["corpus_tokens"] = {
        name: [len(counts), sum(counts.values())]
        for name, counts in token_counts.items()}

    rng = random.Random(3)
    golden["subword"] = {}
    for vocab in ["target_4.subwords", "target_9.subwords",
                  "newlines.subwords"]:
        texts_used = texts if vocab == "target_9.subwords" else texts[:50]
        encoder = text_encoder.SubwordTextEncoder(os.path.join(folder, vocab))
        golden["subword"][vocab] = encode_cases(encoder, texts_used, rng)
    write(os.path.join(folder, "quirks.subwords"), QUIRKS)
    encoder = text_encoder.SubwordTextEncoder(
        os.path.join(folder, "quirks.subwords"))
    golden["quirks"] = {
        "subtokens": [to_hex(s) for s in encoder.all_subtoken_strings],
        "encode": [[to_hex(t), encoder.encode(t)]
                   for t in ["a", "5 6", "aéta", "ét", "y0", "z", "\\;;"]],
    }
    golden["unescape"] = unescape_cases()
    golden["encoders"] = other_encoders(folder)
    golden["examples"] = examples(folder)
    with open(os.path.join(folder, "golden.json"), "w") as f:
        json.dump(golden, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
