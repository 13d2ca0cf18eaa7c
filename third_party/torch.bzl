"""Rules for targets that see LibTorch: native ones, with a precompiled ATen.

BUILD files load these in place of the native rules of the same names. A target
that names @libtorch//:torch in its deps is compiled with ATen's headers out of
scripts/install_deps.sh's precompiled header (10 s a file without, 2 s with).
GCC leaves it aside where other flags than the usual are given (ASan, OpenMP)
and reads the header's text.
"""

# The header's name holds LibTorch's version: a build against another one fails
# here, and is not given the precompiled text of the old.
_PRECOMPILED = ["-include", "t2t_aten_2.11.0.h"]

def _with_precompiled(arguments):
    deps = arguments.get("deps", [])
    if type(deps) == "list" and "@libtorch//:torch" in deps:
        arguments["copts"] = arguments.get("copts", []) + _PRECOMPILED
    return arguments

def cc_library(**arguments):
    native.cc_library(**_with_precompiled(arguments))

def cc_binary(**arguments):
    native.cc_binary(**_with_precompiled(arguments))

def cc_test(**arguments):
    native.cc_test(**_with_precompiled(arguments))
