#include "t2t/layers/attention_recorder.h"

namespace t2t {
namespace {

thread_local AttentionRecorder* current = nullptr;

}  // namespace

AttentionRecorder::AttentionRecorder() : outer_(current) { current = this; }

AttentionRecorder::~AttentionRecorder() { current = outer_; }

AttentionRecorder* AttentionRecorder::Current() { return current; }

}  // namespace t2t
