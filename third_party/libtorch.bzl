"""LibTorch's CPU half, out of the PyPI wheel (scripts/install_deps.sh puts it
in .deps/libtorch). Of its headers only its own: the wheel's include folder has
protobuf 3.13's and fmt 12's too, which would be found before Debian's."""

_OWN_HEADERS = ["ATen", "c10", "caffe2", "torch"]

def _libtorch_impl(context):
    home = context.path(context.attr.workspace).dirname.get_child(".deps")
    home = home.get_child("libtorch")
    context.symlink(home.get_child("lib"), "lib")
    for folder in _OWN_HEADERS:
        context.symlink(
            home.get_child("include").get_child(folder),
            "include/" + folder,
        )

    # The precompiled header (third_party/torch.bzl), where there is one.
    for entry in home.get_child("include").readdir():
        if entry.basename.startswith("t2t_aten_"):
            context.symlink(entry, "include/" + entry.basename)
    context.symlink(context.attr.build_file, "BUILD.bazel")

libtorch_repository = repository_rule(
    implementation = _libtorch_impl,
    attrs = {
        "build_file": attr.label(),
        "workspace": attr.label(),
    },
    local = True,
)
