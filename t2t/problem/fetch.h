#ifndef T2T_PROBLEM_FETCH_H_
#define T2T_PROBLEM_FETCH_H_

#include <string>
#include <vector>

#include "t2t/problem/source.h"

namespace t2t {

// Finds the files of corpora in tmp_dir and fetches what is missing: the
// archive they are in, or themselves.
//
// What is known by a checksum and has another is not taken (DataError: both
// sums, the address, how to accept it), unless the person accepts that sum or
// has named a mirror of their own. What has none, or has it right, is used as
// it lies. A file of another user in a folder of all users counts only with its
// checksum.
class FetchingFinder : public CorpusFinder {
 public:
  explicit FetchingFinder(const GenerateOptions& options) : options_(options) {}

  bool Find(const std::vector<CorpusUse>& uses, bool fetch,
            std::vector<FoundCorpus>* found) const override;

 private:
  const GenerateOptions& options_;
};

}  // namespace t2t

#endif  // T2T_PROBLEM_FETCH_H_
