#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/formats/tfrecord.h"
#include "tests/fuzz/fuzz_target.h"

namespace t2t {
namespace {

// The records until the end or the damage, and the message of the damage.
struct Outcome {
  std::vector<std::string> records;
  std::string damage;

  bool operator==(const Outcome&) const = default;
};

Outcome FromBytes(std::string_view bytes, const std::string& name) {
  Outcome outcome;
  try {
    size_t offset = 0;
    std::string_view record;
    while (NextTfRecord(bytes, &offset, name, &record)) {
      outcome.records.emplace_back(record);
    }
  } catch (const Error& error) {
    outcome.damage = error.what();
  }
  return outcome;
}

Outcome FromFile(const std::string& path) {
  Outcome outcome;
  try {
    TfRecordReader reader(path);
    std::string record;
    while (reader.Next(&record)) outcome.records.push_back(record);
  } catch (const Error& error) {
    outcome.damage = error.what();
  }
  return outcome;
}

}  // namespace
}  // namespace t2t

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = t2t::AsText(data, size);
  static const int file = ::memfd_create("records", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  t2t::Require(::ftruncate(file, 0) == 0 &&
                   ::pwrite(file, data, size, 0) == static_cast<ssize_t>(size),
               "a file in memory");
  const t2t::Outcome outcome = t2t::FromBytes(bytes, path);
  t2t::Require(outcome == t2t::FromFile(path), "file and memory read alike");

  // What was read gives the same bytes again.
  std::string again;
  for (const std::string& record : outcome.records) {
    t2t::AppendTfRecord(record, &again);
  }
  t2t::Require(bytes.substr(0, again.size()) == again, "same bytes again");
  // And any bytes can be a record.
  std::string whole;
  t2t::AppendTfRecord(bytes, &whole);
  t2t::Require(t2t::FromBytes(whole, path).records ==
                   std::vector<std::string>{std::string(bytes)},
               "a record comes back");
  return 0;
}
