// Runs a fuzz target without a fuzzer: over the files of its corpus and over random mutations of each of them.
//
//     fuzz_netsync|fuzz_http TARGET [--seed=N] [--mutations=N] FILE-OR-DIRECTORY...
//
// Always the same inputs for the same seed. The input under which the program dies is written to `<program>.<target>.broken`.

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "replay.hpp"

extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace {

using Bytes = std::vector<std::uint8_t>;
using Random = std::mt19937_64;

FuzzTarget* target = nullptr;
const Bytes* current = nullptr;
std::string broken;  // the name of the file for it

void save_current() {
    if (current == nullptr) {
        return;
    }
    if (std::FILE* file = std::fopen(broken.c_str(), "wb")) {
        std::fwrite(current->data(), 1, current->size(), file);
        std::fclose(file);
        std::fprintf(stderr, "the input is in the file %s\n", broken.c_str());
    }
}

void run(const Bytes& input) {
    current = &input;
    target(input.data(), input.size());
    current = nullptr;
}

std::size_t below(std::size_t bound, Random& random) {
    return std::uniform_int_distribution<std::size_t>{0, bound - 1}(random);
}

// One small damage of the kinds that decoders fall over: a flipped bit, an extreme byte, a cut, a lost or repeated
// piece.
void damage(Bytes& bytes, Random& random) {
    static constexpr std::uint8_t extremes[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
    if (bytes.empty()) {
        bytes.push_back(static_cast<std::uint8_t>(below(256, random)));
        return;
    }
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size(), random));
    const auto rest = static_cast<std::size_t>(bytes.end() - at);
    const auto until = at + static_cast<std::ptrdiff_t>(1 + below(std::min<std::size_t>(rest, 16), random));
    switch (below(6, random)) {
    case 0: *at = static_cast<std::uint8_t>(*at ^ (1u << below(8, random))); break;
    case 1: *at = extremes[below(std::size(extremes), random)]; break;
    case 2: bytes.erase(at, bytes.end()); break;
    case 3: bytes.erase(at, until); break;
    case 4: {
        const Bytes piece{at, until};
        bytes.insert(at, piece.begin(), piece.end());
        break;
    }
    default: bytes.insert(at, extremes[below(std::size(extremes), random)]); break;
    }
}

std::vector<Bytes> read_all(const std::vector<std::filesystem::path>& paths) {
    std::vector<std::filesystem::path> files;
    for (const auto& path : paths) {
        if (std::filesystem::is_directory(path)) {
            for (const auto& entry : std::filesystem::directory_iterator{path}) {
                files.push_back(entry.path());
            }
        } else {
            files.push_back(path);
        }
    }
    std::sort(files.begin(), files.end());
    std::vector<Bytes> inputs;
    for (const auto& path : files) {
        std::ifstream file{path, std::ios::binary};
        if (!file) {
            std::fprintf(stderr, "cannot read %s\n", path.c_str());
            std::exit(2);
        }
        inputs.emplace_back(std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{});
    }
    return inputs;
}

bool option(std::string_view argument, std::string_view name, std::uint64_t& value) {
    if (!argument.starts_with(name)) {
        return false;
    }
    argument.remove_prefix(name.size());
    const auto [end, error] = std::from_chars(argument.data(), argument.data() + argument.size(), value);
    return error == std::errc{} && end == argument.data() + argument.size();
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t seed = 1;
    std::uint64_t mutations = 500;
    std::vector<std::filesystem::path> paths;
    if (argc < 2 || (target = fuzz_target(argv[1])) == nullptr) {
        std::fputs("the first argument is to name a target\n", stderr);
        return 2;
    }
    for (const std::string_view argument : std::vector<std::string_view>(argv + 2, argv + argc)) {
        if (!option(argument, "--seed=", seed) && !option(argument, "--mutations=", mutations)) {
            paths.emplace_back(argument);
        }
    }
    broken = std::string{argv[0]} + "." + argv[1] + ".broken";
    if (__sanitizer_set_death_callback != nullptr) {
        __sanitizer_set_death_callback(save_current);
    }
    std::signal(SIGABRT, [](int) { save_current(); });

    const std::vector<Bytes> inputs = read_all(paths);
    if (inputs.empty()) {
        std::fputs("the corpus is empty\n", stderr);
        return 2;
    }
    Random random{seed};
    run({});
    for (const Bytes& input : inputs) {
        run(input);
        for (std::uint64_t i = 0; i < mutations; ++i) {
            Bytes mutant = input;
            for (std::size_t n = 1 + below(4, random); n > 0; --n) {
                damage(mutant, random);
            }
            run(mutant);
        }
    }
    std::printf("%zu inputs, %llu mutations of each, seed %llu\n", inputs.size(),
                static_cast<unsigned long long>(mutations), static_cast<unsigned long long>(seed));
}
