"""Programs as fronts: small binaries over two shared libraries.

libt2t_base.so has what every program shares and LibTorch is not needed for:
the rooms up to problems/ and hparams/, with their registries, once in a
process. libt2t_datagen.so makes data: it loads libcurl and libarchive, and they
thirty libraries more. libt2t_torch.so has the rest and is opened when a program
gets to its work (t2t/bin/common/torch_half.h). Tests link the same targets
statically.
"""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

_BASE = "//t2t/bin:base_rooms"
_DATAGEN = "//t2t/bin:datagen_rooms"
_TORCH = "//t2t/bin:torch_rooms"

def _owners(targets, with_libraries = True):
    owners = {}
    for target in targets:
        for item in target[CcInfo].linking_context.linker_inputs.to_list():
            if bool(item.libraries) == with_libraries:
                owners[str(item.owner)] = True
    return owners

# The same with all of its objects linked, whether or not something asks for
# them.
def _whole(ctx, item):
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    libraries = []
    for library in item.libraries:
        if not library.static_library and not library.pic_static_library:
            libraries.append(library)
            continue
        libraries.append(cc_common.create_library_to_link(
            actions = ctx.actions,
            feature_configuration = features,
            cc_toolchain = toolchain,
            static_library = library.static_library,
            pic_static_library = library.pic_static_library,
            alwayslink = True,
        ))
    return cc_common.create_linker_input(
        owner = item.owner,
        libraries = depset(libraries),
        user_link_flags = depset(item.user_link_flags),
        additional_inputs = depset(item.additional_inputs),
    )

def _apart_impl(ctx):
    merged = cc_common.merge_cc_infos(
        cc_infos = [dep[CcInfo] for dep in ctx.attr.deps],
    )
    left_out = _owners(ctx.attr.without)

    # A library of ours has what a library below it links statically from there:
    # else the linker takes of libzstd.a what libarchive.so names, too, which is
    # no code for libraries. (A program must name what it uses itself.)
    if ctx.attr.whole:
        left_out.update(_owners(ctx.attr.without, with_libraries = False))
    elsewhere = {}
    for owner in _owners(ctx.attr.apart_from):
        if owner not in left_out:
            elsewhere[owner] = True
    kept = []
    for item in merged.linking_context.linker_inputs.to_list():
        owner = str(item.owner)
        if owner in left_out and (item.libraries or ctx.attr.whole):
            continue
        if item.libraries and owner in elsewhere:
            fail(owner + " would be in a program and in libt2t_torch.so, " +
                 "each with its own variables: add it to " + _BASE)
        kept.append(_whole(ctx, item) if ctx.attr.whole else item)
    runfiles = ctx.runfiles()
    for dep in ctx.attr.deps:
        runfiles = runfiles.merge(dep[DefaultInfo].default_runfiles)
    return [
        DefaultInfo(runfiles = runfiles),
        CcInfo(
            compilation_context = merged.compilation_context,
            linking_context = cc_common.create_linking_context(
                linker_inputs = depset(kept, order = "topological"),
            ),
        ),
    ]

# Libraries as `deps` says, of which nothing is linked that `without` has.
libraries_apart = rule(
    implementation = _apart_impl,
    attrs = {
        "deps": attr.label_list(providers = [CcInfo]),
        "without": attr.label_list(providers = [CcInfo]),
        "apart_from": attr.label_list(providers = [CcInfo]),
        "whole": attr.bool(),
        "_cc_toolchain": attr.label(
            default = "@bazel_tools//tools/cpp:current_cc_toolchain",
        ),
    },
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)

# Bazel's own tree is found by the paths that Bazel adds.
_INSTALLED = ["-Wl,-rpath,$$ORIGIN/../lib"]

def t2t_program(
        name,
        srcs,
        deps,
        needs_torch = True,
        makes_data = False,
        **arguments):
    """A front: main.cc and torch-free libraries.

    Args:
      needs_torch: whether it opens libt2t_torch.so, always or for plug-ins.
      makes_data: whether it is linked to libt2t_datagen.so.
    """
    libraries_apart(
        name = name + "_libraries",
        apart_from = [_TORCH],
        without = [_BASE] + ([_DATAGEN] if makes_data else []),
        deps = deps,
    )
    native.cc_binary(
        name = name,
        srcs = srcs + ["//t2t/bin:libt2t_base.so"] + (
            ["//t2t/bin:libt2t_datagen.so"] if makes_data else []
        ),
        data = ["//t2t/bin:libt2t_torch.so"] if needs_torch else [],
        linkopts = _INSTALLED,
        deps = [":" + name + "_libraries"],
        **arguments
    )

def shared_rooms(name, deps, without = [], libraries = []):
    """A shared library with all objects of deps but those of without."""
    libraries_apart(
        name = name + "_libraries",
        without = without,
        whole = True,
        deps = deps,
    )
    native.cc_binary(
        name = name,
        srcs = libraries,
        linkopts = _INSTALLED + [
            "-Wl,-rpath,$$ORIGIN",
            "-Wl,-soname," + name,
            # Plug-ins are compiled for it (t2t/bin/common/user_plugin.h).
            "-Wl,--build-id=sha1",
        ],
        linkshared = True,
        linkstatic = True,
        deps = [":" + name + "_libraries"],
    )
