#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/hparams/hparams.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  t2t::HParams hparams;
  hparams.Add("b", true);
  hparams.Add("i", 1);
  hparams.Add("d", 0.5);
  hparams.Add("s", "text");
  hparams.Add("is", t2t::HParams::Value(std::vector<int64_t>{1, 2}));
  hparams.Add("ds", t2t::HParams::Value(std::vector<double>{0.5}));
  hparams.Add("ss", t2t::HParams::Value(std::vector<std::string>{"x"}));
  const std::string before = hparams.ToJson();
  try {
    hparams.Parse(t2t::AsText(data, size));
  } catch (const t2t::Error&) {
    t2t::Require(hparams.ToJson() == before, "an error changes nothing");
  }
  t2t::Require(hparams.Names().size() == 7, "no name comes or goes");
  hparams.ToJson();
  return 0;
}
