#ifndef T2T_INPUT_CHUNKED_INPUT_H_
#define T2T_INPUT_CHUNKED_INPUT_H_

#include <cstdint>
#include <memory>

#include "t2t/input/input.h"

namespace t2t {

// T2T's split_targets_chunk_length: each batch becomes several, one for every
// `length` symbols of its targets, in order, the last filled up with padding.
// They have a further feature "chunk_number" [batch, 1], 0 for the first; the
// other features are in all of them. Chunks of padding alone are left out.
// max_rows > 0: a batch with more rows is divided, and then cut.
//
// The state is that of `whole` and the place in its batch: the stream goes on
// exactly.
std::unique_ptr<InputPipeline> MakeChunkedPipeline(
    std::unique_ptr<InputPipeline> whole, int64_t length, int64_t max_rows);

}  // namespace t2t

#endif  // T2T_INPUT_CHUNKED_INPUT_H_
