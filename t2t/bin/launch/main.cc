// t2t-launch: an app of components, their Kubernetes manifests, and what is to
// be done with them.

#include <string>
#include <vector>

#include "launch/run/cli.h"
#include "t2t/base/error.h"
#include "t2t/bin/common/names.h"

namespace t2t {
namespace {

int Main(int argc, char** argv) {
  RegisterNames();
  return RunLaunch(std::vector<std::string>(argv + 1, argv + argc));
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
