"""The rooms of this repository, and who may see which.

A room includes only rooms above it in the table; a room without LibTorch sees
none with it. Bazel holds that by default_visibility, and
//tests/rooms:includes_test reads this table and names the line that breaks it.
Reasons and contents: docs/design.md.
"""

# (folder, whether it may see LibTorch)
ROOMS = [
    ("proto", False),
    ("t2t/base", False),
    ("t2t/hparams", False),
    ("t2t/text", False),
    ("t2t/formats", False),
    ("t2t/input", False),
    ("t2t/metrics", False),
    ("t2t/problem", False),
    ("problems", False),
    ("hparams", False),
    ("t2t/ops", True),
    ("t2t/optim", True),
    ("t2t/distributed", True),
    ("t2t/nn", True),
    ("t2t/parallel", True),
    ("t2t/modality", True),
    ("t2t/model", True),
    ("models", True),
    ("t2t/checkpoint", True),
    ("t2t/decode", True),
    ("t2t/train", True),
    ("t2t/serve", True),
    ("t2t/tune", False),
    ("launch/render", False),
    ("launch/app", False),
    ("launch/run", False),
    ("t2t/bin", True),
]

def _label(room):
    return "//" + room + ":__subpackages__"

def visible_below(room, also = []):
    """The default_visibility of a room.

    Args:
      room: its folder in ROOMS.
      also: further packages, each with its reason beside it in the BUILD file
        (tests that compare with what lies below).
    Returns:
      The labels of the room itself, of the rooms below it, and of tests.
    """
    labels = [_label(room), "//tests:__subpackages__", "//tools:__subpackages__"]
    torch = None
    for name, sees_torch in ROOMS:
        if torch == None:
            if name == room:
                torch = sees_torch
        elif sees_torch or not torch:
            labels.append(_label(name))
    if torch == None:
        fail(room + " is no room of //:rooms.bzl")
    return labels + also

# Who may see LibTorch, from inside its repository.
TORCH_VISIBILITY = [
    "@" + _label(name)
    for name, sees_torch in ROOMS
    if sees_torch
] + ["@//tests:__subpackages__", "@//third_party:__subpackages__", "@//tools:__subpackages__"]
