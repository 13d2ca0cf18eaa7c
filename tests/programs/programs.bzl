"""Every program, for tests that look at all of them."""

PROGRAMS = [
    "//t2t/bin/avg:t2t-avg-all",
    "//t2t/bin/bleu:t2t-bleu",
    "//t2t/bin/datagen:t2t-datagen",
    "//t2t/bin/decoder:t2t-decoder",
    "//t2t/bin/eval:t2t-eval",
    "//t2t/bin/exporter:t2t-exporter",
    "//t2t/bin/import:t2t-import",
    "//t2t/bin/inspect:t2t-inspect",
    "//t2t/bin/launch:t2t-launch",
    "//t2t/bin/model_server:t2t-model-server",
    "//t2t/bin/query_server:t2t-query-server",
    "//t2t/bin/trainer:t2t-trainer",
    "//t2t/bin/translate_all:t2t-translate-all",
]
