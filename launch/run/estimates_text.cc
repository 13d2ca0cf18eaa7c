#include "launch/run/estimates_text.h"

#include "launch/app/estimate.h"
#include "launch/render/sweep.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

TrainingEstimate EstimateOf(const App& app, const Component& component) {
  // A run on this machine may have left the vocabulary.
  const std::string data = component.params.String("data_dir");
  const std::string mount = component.params.String("claim_path");
  std::vector<std::string> folders;
  if (StartsWith(data, mount)) {
    folders.push_back(
        JoinPath(JoinPath(app.folder(), ".local"),
                 component.params.String("claim") + data.substr(mount.size())));
  }
  return EstimateTraining(component, folders, app.costs());
}

std::string TrainingText(const App& app, const std::string& title,
                         const Component& component) {
  const TrainingEstimate about = EstimateOf(app, component);
  std::string lines = title + ", estimated:\n" + EstimateText(about);
  for (const std::string& warning : EstimateWarnings(about)) {
    lines += "  warning: " + warning + "\n";
  }
  return lines;
}

// What the trainings of the app keep in a claim.
std::string StorageText(const App& app, const Component& claim) {
  double bytes = 0;
  const auto add = [&](const Component& component) {
    if (component.params.String("claim") != claim.params.String("claim")) {
      return;
    }
    const TrainingEstimate about = EstimateOf(app, component);
    bytes +=
        static_cast<double>(about.checkpoints) * about.cost.checkpoint_bytes;
  };
  for (const std::string& name : app.ComponentNames()) {
    try {
      const Component component = claim.find(name);
      if (component.prototype == "train") add(component);
      if (component.prototype != "sweep") continue;
      for (const Component& trial : SweepTrials(component)) add(trial);
    } catch (const Error&) {
      // What is wrong with another component is said where it is meant.
    }
  }
  if (bytes == 0) return "";
  const std::string size = claim.params.String("size");
  std::string lines = claim.name +
                      ", estimated:\n  checkpoints: " + BytesText(bytes) +
                      " of all trainings, of " + size + "\n";
  if (bytes > QuantityValue(size)) {
    lines += "  warning: they do not fit; data and exports come on top\n";
  }
  return lines;
}

std::string SweepText(const App& app, const Component& sweep) {
  const std::vector<Component> trials = SweepTrials(sweep);
  std::string lines =
      TrainingText(app,
                   sweep.name + ": the first of " +
                       Count(static_cast<int64_t>(trials.size()), "trial"),
                   trials[0]);
  double hours = 0;
  double price = 0;
  for (const Component& trial : trials) {
    const TrainingEstimate about = EstimateOf(app, trial);
    hours += about.hours * static_cast<double>(about.gpus);
    price += about.price;
  }
  if (hours > 0) {
    lines += Format("  all trials:  %.1f hours of a GPU", hours);
    lines += price > 0 ? Format(", at a cost of %.2f\n", price) : "\n";
  }
  return lines;
}

}  // namespace

std::string EstimatesText(const App& app,
                          const std::vector<Component>& components) {
  std::string all;
  for (const Component& component : components) {
    if (component.prototype == "storage") all += StorageText(app, component);
    if (component.prototype == "train") {
      all += TrainingText(app, component.name, component);
    }
    if (component.prototype == "pipeline") {
      for (const std::string& name : component.params.List("train")) {
        all += TrainingText(app, component.name + ": " + name,
                            component.find(name));
      }
    }
    if (component.prototype == "sweep") all += SweepText(app, component);
  }
  return all;
}

}  // namespace t2t
