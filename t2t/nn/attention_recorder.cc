#include "t2t/nn/attention_recorder.h"

namespace t2t {
namespace {

thread_local AttentionRecorder* current = nullptr;

}  // namespace

AttentionRecorder::AttentionRecorder() : outer_(current) { current = this; }

AttentionRecorder::~AttentionRecorder() { current = outer_; }

AttentionRecorder* AttentionRecorder::Current() { return current; }

}  // namespace t2t
