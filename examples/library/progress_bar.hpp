// library: how far a scan is.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "console.hpp"

namespace library {

/// A bar for as long as it takes: `scanning [####------] 3.1 MiB of 6.9 MiB, 41 of 88 files`, renewed now and then.
class ProgressBar {
   public:
    ProgressBar(Console& console, std::uint64_t bytes, std::size_t files)
        : console_(console), bytes_(bytes), files_(files) {}
    ~ProgressBar() { console_.progress({}); }

    void add_bytes(std::uint64_t count) {
        bytes_done_ += count;
        const auto now = std::chrono::steady_clock::now();
        if (now < next_) return;
        next_ = now + std::chrono::milliseconds{console_.is_terminal() ? 100 : 500};
        show();
    }
    void add_file() { ++files_done_; }

   private:
    void show() const {
        constexpr std::uint64_t width = 24;
        const std::uint64_t done = std::min(width, bytes_ == 0 ? width : bytes_done_ * width / bytes_);
        console_.progress(fmt::format("scanning [{:#>{}}{:->{}}] {} of {}, {} of {} files", "", done, "", width - done,
                                      human_size(bytes_done_), human_size(bytes_), files_done_, files_));
    }

    Console& console_;
    const std::uint64_t bytes_;
    const std::size_t files_;
    std::uint64_t bytes_done_ = 0;
    std::size_t files_done_ = 0;
    std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now();
};

}  // namespace library
