#!/usr/bin/env python3
"""Validates manifests by Kubernetes' own schemas and by those of CRDs.

  pip install kubernetes-validate fastjsonschema pyyaml
  tools/k8s/validate.py [--crds=FOLDER] [--version=1.31] FILE.yaml...

Core kinds are validated strictly (no field that the schema lacks), custom ones
by the CustomResourceDefinitions of the folder, strictly too; so are Pods within
custom kinds and the manifests within a Workflow's steps. The same document is
looked at once. Kinds without a schema are counted.
"""

import argparse
import collections
import glob
import json
import os
import re
import sys

import fastjsonschema
import kubernetes_validate
import yaml

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def strict(schema):
  """A CRD's schema without what JSON Schema does not know, and closed."""
  if not isinstance(schema, dict):
    return schema
  closed = {}
  for key, value in schema.items():
    if key == "properties":
      closed[key] = {name: strict(member) for name, member in value.items()}
    elif key in ("items", "additionalProperties"):
      closed[key] = strict(value)
    elif key in ("allOf", "anyOf", "oneOf", "not"):
      pass  # only repeat what is required where types differ
    elif key == "format" or key.startswith("x-"):
      pass
    elif key == "pattern":
      if "(?" not in value:
        closed[key] = value
    elif key in ("description", "default", "nullable"):
      pass
    else:
      closed[key] = value
  if schema.get("x-kubernetes-int-or-string"):
    closed["type"] = ["integer", "string"]
  if ("properties" in closed and "additionalProperties" not in closed and
      not schema.get("x-kubernetes-preserve-unknown-fields")):
    closed["additionalProperties"] = False
  return closed


def local(schema):
  """With references within the schema, and without formats."""
  if isinstance(schema, list):
    return [local(item) for item in schema]
  if not isinstance(schema, dict):
    return schema
  out = {}
  for key, value in schema.items():
    if key == "$ref" and isinstance(value, str):
      out[key] = value[value.index("#"):]
    elif key in ("$schema", "$id", "id") and isinstance(value, str):
      pass
    elif key == "format" and isinstance(value, str):
      pass
    else:
      out[key] = local(value)
  return out


class Validators:

  def __init__(self, version, crds):
    folder = os.path.join(os.path.dirname(kubernetes_validate.__file__),
                          "kubernetes-json-schema")
    self.folder = os.path.join(folder, "v%s.0-local-strict" % version)
    with open(os.path.join(self.folder, "_definitions.json")) as file:
      self.definitions = local(json.load(file)["$defs"])
    self.known = {}
    self.crds = {}
    for path in sorted(glob.glob(os.path.join(crds, "*.yaml"))) if crds else []:
      with open(path) as file:
        text = "\n".join(line for line in file if "{{" not in line)
      for crd in yaml.load_all(text, Loader):
        if not crd or crd.get("kind") != "CustomResourceDefinition":
          continue
        for entry in crd["spec"]["versions"]:
          schema = strict(entry.get("schema", {}).get("openAPIV3Schema", {}))
          if schema.get("properties"):
            schema["properties"]["metadata"] = {"type": "object"}
          key = (crd["spec"]["group"] + "/" + entry["name"],
                 crd["spec"]["names"]["kind"])
          self.crds[key] = schema

  def find(self, api, kind):
    key = (api, kind)
    if key not in self.known:
      if key in self.crds:
        schema = self.crds[key]
      else:
        short = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api)
        path = os.path.join(self.folder, "%s-%s.json" % (kind.lower(), short))
        if not os.path.exists(path):
          self.known[key] = None
          return None
        with open(path) as file:
          schema = json.load(file)
      schema = dict(local(schema), **{"$defs": self.definitions})
      self.known[key] = fastjsonschema.compile(
          schema, use_default=False, detailed_exceptions=False)
    return self.known[key]


def pods(value):
  """Pods' templates, and manifests in a workflow's steps."""
  if isinstance(value, list):
    for item in value:
      yield from pods(item)
  if not isinstance(value, dict):
    return
  spec = value.get("spec")
  if isinstance(spec, dict) and "containers" in spec:
    yield {"apiVersion": "v1", "kind": "Pod",
           "metadata": dict(value.get("metadata") or {}, name="x"),
           "spec": spec}
  resource = value.get("resource")
  if isinstance(resource, dict) and resource.get("action") == "create":
    yield yaml.load(resource["manifest"], Loader)
  for member in value.values():
    yield from pods(member)


def documents(paths):
  """Their texts, each once."""
  seen = set()
  for path in paths:
    with open(path, encoding="utf-8", newline="\n") as file:
      lines = []
      for line in file:
        if line != "---\n":
          lines.append(line)
          continue
        yield "".join(lines), seen
        lines = []
      yield "".join(lines), seen


def main():
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("--crds", help="a folder of CRDs")
  parser.add_argument("--version", default="1.31")
  parser.add_argument("--sample", type=int, default=0,
                      help="every so many-th core object by "
                      "kubernetes-validate itself, too")
  parser.add_argument("files", nargs="+")
  args = parser.parse_args()
  validators = Validators(args.version, args.crds)
  counts = collections.Counter()
  unknown = collections.Counter()
  kinds = collections.Counter()
  for text, seen in documents(args.files):
    if not text.strip():
      continue
    counts["documents"] += 1
    if hash(text) in seen:
      continue
    seen.add(hash(text))
    counts["different"] += 1
    value = yaml.load(text, Loader)
    for item in [value] + list(pods(value)):
      api, kind = item["apiVersion"], item["kind"]
      validate = validators.find(api, kind)
      if validate is None:
        unknown[api + " " + kind] += 1
        continue
      counts["validated"] += 1
      kinds[api + " " + kind] += 1
      try:
        validate(item)
        if (args.sample and (api, kind) not in validators.crds and
            counts["validated"] % args.sample == 0):
          kubernetes_validate.validate(item, args.version, strict=True)
          counts["by kubernetes-validate"] += 1
      except Exception as error:  # the validators have several
        counts["wrong"] += 1
        if counts["wrong"] <= 20:
          print("%s %s: %s" % (kind, item["metadata"].get("name"),
                               str(error)[:400]))
  print(", ".join("%s %d" % pair for pair in counts.items()))
  for name, count in sorted(kinds.items()):
    print("  %6d %s" % (count, name))
  for name, count in sorted(unknown.items()):
    print("  %6d %s: no schema" % (count, name))
  sys.exit(1 if counts["wrong"] else 0)


if __name__ == "__main__":
  main()
