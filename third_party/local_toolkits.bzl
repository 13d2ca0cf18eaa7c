"""Repositories of toolkits that a machine may have: what needs them is built
where they are found and left out where they are not."""

def _write(context, available, build, constants = ""):
    context.file("BUILD.bazel", build if available else "")
    context.file(
        "defs.bzl",
        "AVAILABLE = %s\n%s" % (available, constants),
    )

def _cuda_impl(context):
    home = context.os.environ.get("CUDA_HOME", "/usr/local/cuda")
    nvcc = context.path(home + "/bin/nvcc")
    include = context.path(home + "/include")
    nccl = context.path(home + "/include/nccl.h")
    if not nccl.exists:
        # A Debian package's place.
        nccl = context.path("/usr/include/nccl.h")
    available = nvcc.exists and include.exists and nccl.exists
    if available:
        context.symlink(include, "include")
        context.symlink(nccl, "nccl/nccl.h")
    _write(context, available, """
package(default_visibility = ["//visibility:public"])

cc_library(
    name = "headers",
    hdrs = glob(["include/**"]) + ["nccl/nccl.h"],
    includes = ["include", "nccl"],
)
""", "NVCC = %r\n" % str(nvcc))

cuda_repository = repository_rule(
    implementation = _cuda_impl,
    environ = ["CUDA_HOME"],
    local = True,
)

def _mpi_impl(context):
    mpicc = context.which("mpicc")
    available = False
    links = []
    if mpicc:
        result = context.execute([mpicc, "--showme:incdirs"])
        link = context.execute([mpicc, "--showme:link"])
        if result.return_code == 0 and link.return_code == 0:
            for folder in result.stdout.strip().split(" "):
                if context.path(folder + "/mpi.h").exists:
                    context.symlink(folder, "include")
                    available = True
                    break
            links = link.stdout.strip().split(" ")
    _write(context, available, """
package(default_visibility = ["//visibility:public"])

cc_library(
    name = "mpi",
    hdrs = glob(["include/**/*.h"]),
    includes = ["include"],
    linkopts = %r,
)
""" % links)

mpi_repository = repository_rule(
    implementation = _mpi_impl,
    environ = ["PATH"],
    local = True,
)
