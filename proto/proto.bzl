"""Libraries of messages: Debian's protoc makes them.

rules_proto would build a protoc of its own from source.
"""

def proto_library(name, deps = []):
    """NAME.pb.h, out of NAME.proto.

    Args:
      name: of the library and of the text.
      deps: libraries of the texts that it imports.
    """
    native.genrule(
        name = name + "_code",
        srcs = [name + ".proto"] + [dep + ".proto" for dep in deps],
        outs = [name + ".pb.h", name + ".pb.cc"],
        cmd = "protoc --proto_path=. --cpp_out=$(GENDIR) " +
              "$(location %s.proto)" % name,
    )
    native.cc_library(
        name = name,
        srcs = [name + ".pb.cc"],
        hdrs = [name + ".pb.h"],
        deps = [":" + dep for dep in deps] + ["//third_party:protobuf"],
    )

def grpc_library(name, proto):
    """NAME.grpc.pb.h, for the services in PROTO.proto, which is NAME.

    Args:
      name: of the library.
      proto: the library of the text.
    """
    native.genrule(
        name = name + "_code",
        srcs = native.glob(["*.proto"]),
        outs = [proto + ".grpc.pb.h", proto + ".grpc.pb.cc"],
        cmd = "protoc --proto_path=. --grpc_out=$(GENDIR) " +
              "--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin " +
              "$(location %s.proto)" % proto,
    )
    native.cc_library(
        name = name,
        srcs = [proto + ".grpc.pb.cc"],
        hdrs = [proto + ".grpc.pb.h"],
        deps = [":" + proto, "//third_party:grpc"],
    )
