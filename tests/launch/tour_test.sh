#!/bin/bash
# Runs docs/cluster.md's commands, with stand-ins for kubectl and the programs.
set -euo pipefail
launch=$PWD/$1 tour=$PWD/$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/lib"
# A copy: the real programs are not next to it.
cp "$launch" "$work/bin/t2t-launch"
cp -L "${launch%/launch/*}/libt2t_base.so" "$work/lib/"
cat >"$work/bin/kubectl" <<'END'
#!/bin/bash
for word in "$@"; do
  case $word in
    -) cat >/dev/null ;;
    --output=json)
      echo '{"items": [], "status": {"conditions": [' \
        '{"type": "Complete", "status": "True"}]}}' ;;
    --output=yaml)
      echo '{"apiVersion": "v1", "kind": "ConfigMap", "data": {},' \
        '"metadata": {"name": "page", "uid": "1"}}' ;;
  esac
done
END
cat >"$work/bin/t2t-trainer" <<'END'
#!/bin/sh
case "$*" in
  *--dry_run*)
    echo '{"version": 1, "vocabularies": {"inputs": 8192, "targets": 8192},' \
      '"parameters": 100, "weight_bytes": 400, "gradient_bytes": 400,' \
      '"optimizer_bytes": 800, "checkpoint_bytes": 1200,' \
      '"computes_in_16_bits": false,' \
      '"step": {"flops": 6e10, "activation_bytes": 1e8}}'
    exit 0 ;;
  *transformer_tiny*) echo "t2t-metric: loss=1.$(($$ % 9)) step=9" ;;
  *) sleep 4 ;;
esac
echo "$@"
END
printf '#!/bin/sh\necho "$@"\n' >"$work/bin/t2t-datagen"
chmod +x "$work"/bin/*
export PATH=$work/bin:$PATH
# shellcheck disable=SC2016  # those are Markdown's
sed -n '/^```sh$/,/^```$/{/^```/d;p}' "$tour" >"$work/commands"
count=$(grep -c '^t2t-launch' "$work/commands")
cd "$work"
if ! bash -euo pipefail "$work/commands" >"$work/output" 2>&1; then
  tail -n 30 "$work/output"
  exit 1
fi
grep -q 'chaos: kill -9 ende-train' "$work/output"
grep -q 'environments/lab.yaml: "8"' "$work/output"
grep -q 'kind: PyTorchJob' "$work/output"
grep -q 'kind: Experiment' "$work/output"
grep -q 'kind: CronWorkflow' "$work/output"
grep -q 'kind: InferenceService' "$work/output"
grep -q 'kind: SeldonDeployment' "$work/output"
grep -q 'best:  loss 1' "$work/output"
grep -q 'at a cost of' "$work/output"
grep -q 'color: blue' "$work/output"
echo "$count commands ran"
