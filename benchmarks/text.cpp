// A long document, typed: 260,000 edits of one character with the shape of real typing, as one replica makes them, as
// another merges their frames, and as the document is saved and loaded. Against a gap buffer, which only edits.
#include <netsync/netsync.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

using namespace netsync;

/// Inserts `letter` before `index`, or erases what is there.
struct Edit {
    std::size_t index;
    char letter;  // 0: erase
};

/// Words are typed, and some typed away again; now and then the cursor goes elsewhere: mostly near, sometimes anywhere.
/// Two of three jumps are to where something is changed within a line: a few letters are typed away, and a few typed.
std::vector<Edit> typing(std::size_t count) {
    detail::Random random{20220409};
    std::vector<Edit> edits;
    std::size_t size = 0, cursor = 0;
    const auto type = [&](std::uint64_t letters) {
        for (; letters > 0 && edits.size() < count; --letters, ++size)
            edits.push_back({cursor++, random.below(6) == 0 ? ' ' : static_cast<char>('a' + random.below(26))});
    };
    const auto back = [&](std::uint64_t letters) {
        for (; letters > 0 && cursor > 0 && edits.size() < count; --letters, --size) edits.push_back({--cursor, 0});
    };
    while (edits.size() < count) {
        if (random.below(3) == 0) {  // on at the end, a sentence
            cursor = size;
            for (std::uint64_t words = 4 + random.below(16); words > 0; --words) {
                type(2 + random.below(9));
                if (random.below(6) == 0) back(1 + random.below(4));
            }
            continue;
        }
        if (random.below(4) == 0)
            cursor = random.below(size + 1);
        else
            cursor = std::min(size, cursor - std::min<std::size_t>(cursor, random.below(300)) + random.below(300));
        back(random.below(16));
        type(1 + random.below(12));
        if (random.below(4) == 0) back(1 + random.below(3));
    }
    return edits;
}

class GapBuffer {
   public:
    explicit GapBuffer(std::size_t capacity) : bytes_(capacity), end_(capacity) {}
    void insert(std::size_t index, char letter) {
        go(index);
        bytes_[start_++] = letter;
    }
    void erase(std::size_t index) {
        go(index);
        ++end_;
    }
    std::string str() const {
        std::string text{bytes_.data(), start_};
        return text.append(bytes_.data() + end_, bytes_.size() - end_);
    }

   private:
    void go(std::size_t index) {
        if (index < start_) {
            std::memmove(bytes_.data() + end_ - (start_ - index), bytes_.data() + index, start_ - index);
            end_ -= start_ - index;
        } else if (index > start_) {
            std::memmove(bytes_.data() + start_, bytes_.data() + end_, index - start_);
            end_ += index - start_;
        }
        start_ = index;
    }
    std::vector<char> bytes_;
    std::size_t start_ = 0;
    std::size_t end_;
};

template <class F>
double median_ns(F&& f) {
    std::vector<double> times;
    for (int round = 0; round < 5; ++round) {
        const std::clock_t start = std::clock();  // the processor's time: the machine may have other work
        f();
        times.push_back(static_cast<double>(std::clock() - start) * 1e9 / CLOCKS_PER_SEC);
    }
    std::sort(times.begin(), times.end());
    return times[2];
}

Text edit(const Text& text, Change& change, const Edit& edit) {
    return edit.letter ? text.insert(change, edit.index, std::string_view{&edit.letter, 1})
                       : text.erase(change, edit.index);
}

}  // namespace

int main() {
    const std::vector<Edit> edits = typing(260'000);
    const double each = static_cast<double>(edits.size());
    std::string expected;
    const double floor = median_ns([&] {
        GapBuffer buffer{edits.size()};
        for (const Edit& edit : edits) edit.letter ? buffer.insert(edit.index, edit.letter) : buffer.erase(edit.index);
        expected = buffer.str();
    });
    const ReplicaIndex self = intern({1, 1});
    Text text;
    std::uint64_t counter = 0;
    const double local = median_ns([&] {
        text = {};
        CausalContext seen;
        counter = 0;
        for (const Edit& step : edits) {
            Change change{self, counter + 1, Ntp64{1}};
            const Text delta = edit(text, change, step);
            const CausalContext context = change.context();
            merge(text, delta, Join{.mine = seen, .theirs = context});
            seen.add(change.minted());
            counter = change.minted().last;
        }
    });
    if (text.str() != expected) return std::puts("the text is not what was typed"), 1;

    // Frames, as a replica makes them: an erasure takes a dot too. Each is encoded, decoded and merged elsewhere.
    std::size_t bytes = 0;
    const double remote = median_ns([&] {
        Text writer, reader;
        CausalContext seen, known;
        counter = 0, bytes = 0;
        std::uint64_t hash = 0;
        for (const Edit& step : edits) {
            Change change{self, counter + 1, Ntp64{1}};
            const Text delta = edit(writer, change, step);
            DotRange minted = change.minted();
            minted.last = std::max(minted.last, minted.first);
            const CausalContext context = change.context();
            merge(writer, delta, Join{.mine = seen, .theirs = context});
            seen.add(minted);
            counter = minted.last;
            const Result<Bytes> encoded = encode_delta(delta, minted, Ntp64{1}, Limits{});
            FrameHeader header{.origin = id_of(self),
                               .first = minted.first,
                               .count = minted.size(),
                               .time = Ntp64{1},
                               .removed = to_counter_ranges(change.removed())};
            const Frame made = Frame::make(std::move(header), *encoded, hash);
            hash = made.header().hash;
            bytes += made.size_bytes();
            const Result<Frame> frame = Frame::parse(made.bytes());
            const Result<Text> decoded = (*frame).delta<Text>();
            merge(reader, *decoded, Join{.mine = known, .theirs = (*frame).context()});
            known.add(minted);
        }
        if (!(reader == writer)) std::puts("the replicas differ");
        text = writer;
    });
    const std::vector<Head> heads{{id_of(self), counter, 0}};
    Result<Bytes> document = Bytes{};
    const double save = median_ns([&] { document = encode_snapshot({heads, Ntp64{1}}, text); });
    const double load = median_ns([&] {
        if (!(decode_snapshot<Text>(*document)->state.size() == text.size())) std::puts("not loaded");
    });
    const double size = static_cast<double>((*document).size()), plain = static_cast<double>(expected.size());
    std::printf("%zu edits make a document of %zu bytes\n", edits.size(), expected.size());
    std::printf("gap buffer                           %8.1f ns an edit\n", floor / each);
    std::printf("edit and merge                       %8.1f ns an edit, %.1f more (at most 200)\n", local / each,
                (local - floor) / each);
    std::printf(
        "and encode, decode, merge elsewhere  %8.1f ns an edit, %.1f for that (at most 800), %.1f bytes a frame\n",
        remote / each, (remote - local) / each, static_cast<double>(bytes) / each);
    std::printf("save                                 %8.2f ms\n", save / 1e6);
    std::printf("load                                 %8.2f ms (at most 5)\n", load / 1e6);
    std::printf("saved                                %8.2f times the text (at most 1.1)\n", size / plain);
}
