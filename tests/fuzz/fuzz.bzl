"""Fuzz targets: see run.sh."""

def fuzz_target(name, deps):
    """NAME_fuzz is for libFuzzer; NAME_fuzz_test replays corpus/NAME."""
    native.cc_library(
        name = name + "_target",
        srcs = [name + "_fuzz.cc"],
        deps = deps + [":fuzz_target", "//t2t/base:error"],
        alwayslink = 1,
    )
    native.cc_binary(
        name = name + "_fuzz",
        deps = [":" + name + "_target"],
        tags = ["manual"],  # has a main() only with --config=fuzz
    )
    native.cc_test(
        name = name + "_fuzz_test",
        size = "small",
        srcs = ["replay_main.cc"],
        args = ["tests/fuzz/corpus/" + name],
        data = native.glob(["corpus/" + name + "/*"]),
        deps = [
            ":" + name + "_target",
            ":fuzz_target",
            "//t2t/base:fs",
        ],
    )
