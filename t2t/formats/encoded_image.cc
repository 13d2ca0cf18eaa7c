#include "t2t/formats/encoded_image.h"

#include "t2t/base/error.h"
#include "t2t/formats/jpeg.h"
#include "t2t/formats/png.h"

namespace t2t {

std::string ImageFormat(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return "png";
  if (bytes.starts_with("\xff\xd8\xff")) return "jpeg";
  return "";
}

Image DecodeEncodedImage(std::string_view bytes, int channels) {
  const std::string format = ImageFormat(bytes);
  if (format == "png") return DecodePng(bytes, channels);
  if (format == "jpeg") return DecodeJpeg(bytes, channels);
  throw DataError("an image of " + std::to_string(bytes.size()) +
                      " bytes is of no format that is read here",
                  "a PNG or a JPEG", "make the data again");
}

}  // namespace t2t
