#ifndef T2T_FORMATS_JPEG_H_
#define T2T_FORMATS_JPEG_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "t2t/formats/image.h"

namespace t2t {

// By libjpeg-turbo. `quality`: 1 to 100, as libjpeg counts it. The same bytes
// for the same image.
std::string EncodeJpeg(const Image& image, int quality = 75);

// `channels`: what becomes of the image, 1 or 3. With four inks (CMYK) it
// becomes red, green and blue as tf.image.decode_jpeg does it. Throws a
// DataError where it is cut or damaged, is no JPEG, or is larger than
// `most_pixels`.
Image DecodeJpeg(std::string_view bytes, int channels,
                 int64_t most_pixels = kMostPixels);

}  // namespace t2t

#endif  // T2T_FORMATS_JPEG_H_
