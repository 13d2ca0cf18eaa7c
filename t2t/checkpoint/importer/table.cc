#include "t2t/checkpoint/importer/table.h"

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"

namespace t2t {
namespace {

constexpr uint64_t kMagic = 0xDB4775248B80FB57ULL;
constexpr size_t kFooterSize = 48;
constexpr size_t kTrailerSize = 5;  // type, CRC

[[noreturn]] void Damaged(const std::string& what) {
  throw DataError("the table is damaged: " + what);
}

struct Handle {
  uint64_t offset = 0;
  uint64_t size = 0;
};

Handle TakeHandle(std::string_view* text) {
  Handle handle;
  if (!TakeVarint(text, &handle.offset) || !TakeVarint(text, &handle.size)) {
    Damaged("a block's place is cut");
  }
  return handle;
}

std::string_view Block(std::string_view file, const Handle& handle) {
  const size_t limit = file.size() - kFooterSize;
  if (handle.offset > limit || handle.size > limit - handle.offset ||
      limit - handle.offset - handle.size < kTrailerSize) {
    Damaged("a block lies outside the file");
  }
  const std::string_view block = file.substr(handle.offset, handle.size);
  std::string_view trailer =
      file.substr(handle.offset + handle.size, kTrailerSize);
  const char type = trailer[0];
  const uint32_t crc = Crc32c(trailer.substr(0, 1), Crc32c(block));
  trailer.remove_prefix(1);
  uint32_t masked = 0;
  TakeFixed32(&trailer, &masked);
  if (UnmaskCrc(masked) != crc) Damaged("a block's checksum is wrong");
  if (type != 0) {
    throw DataError("the table is compressed (type " +
                        std::to_string(static_cast<int>(type)) + ")",
                    "an uncompressed table, as TensorFlow writes it");
  }
  return block;
}

// Calls visit for a block's entries.
void ReadBlock(
    std::string_view block,
    const std::function<void(std::string_view, std::string_view)>& visit) {
  if (block.size() < 4) Damaged("a block is too short");
  std::string_view tail = block.substr(block.size() - 4);
  uint32_t restarts = 0;
  TakeFixed32(&tail, &restarts);
  if (restarts > (block.size() - 4) / 4) {
    Damaged("a block's restart points do not fit in it");
  }
  std::string_view left =
      block.substr(0, block.size() - 4 - 4 * static_cast<size_t>(restarts));
  std::string key;
  while (!left.empty()) {
    uint64_t shared = 0;
    uint64_t fresh = 0;
    uint64_t length = 0;
    if (!TakeVarint(&left, &shared) || !TakeVarint(&left, &fresh) ||
        !TakeVarint(&left, &length) || shared > key.size() ||
        fresh > left.size() || length > left.size() - fresh) {
      Damaged("an entry's lengths do not fit in its block");
    }
    key.resize(shared);
    key.append(left.substr(0, fresh));
    visit(key, left.substr(fresh, length));
    left.remove_prefix(fresh + length);
  }
}

}  // namespace

bool TakeVarint(std::string_view* text, uint64_t* value) {
  uint64_t result = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (text->empty()) return false;
    const auto byte = static_cast<unsigned char>(text->front());
    text->remove_prefix(1);
    // Too large, or longer than need be (which nobody writes).
    if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0)) return false;
    result |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      *value = result;
      return true;
    }
  }
  return false;
}

bool TakeFixed32(std::string_view* text, uint32_t* value) {
  if (text->size() < 4) return false;
  uint32_t result = 0;
  for (int i = 3; i >= 0; --i) {
    result = result << 8 | static_cast<unsigned char>((*text)[i]);
  }
  text->remove_prefix(4);
  *value = result;
  return true;
}

void ReadTable(
    std::string_view file,
    const std::function<void(std::string_view, std::string_view)>& visit) {
  if (file.size() < kFooterSize) Damaged("it is too short to be one");
  std::string_view footer = file.substr(file.size() - kFooterSize);
  std::string_view magic = footer.substr(kFooterSize - 8);
  uint32_t low = 0;
  uint32_t high = 0;
  TakeFixed32(&magic, &low);
  TakeFixed32(&magic, &high);
  if ((static_cast<uint64_t>(high) << 32 | low) != kMagic) {
    Damaged("it does not end with a table's mark (is it cut?)");
  }
  footer.remove_suffix(8);
  const Handle meta = TakeHandle(&footer);
  const Handle index = TakeHandle(&footer);
  if (footer.find_first_not_of('\0') != std::string_view::npos) {
    Damaged("its footer has extra bytes");
  }
  ReadBlock(Block(file, meta), [](std::string_view, std::string_view) {});

  std::string last;
  bool first = true;
  ReadBlock(Block(file, index),
            [&](std::string_view bound, std::string_view place) {
              const Handle handle = TakeHandle(&place);
              if (!place.empty()) Damaged("a block's place has extra bytes");
              ReadBlock(Block(file, handle),
                        [&](std::string_view key, std::string_view value) {
                          if ((!first && key <= last) || key > bound) {
                            Damaged("its keys are out of order");
                          }
                          first = false;
                          last = key;
                          visit(key, value);
                        });
            });
}

}  // namespace t2t
