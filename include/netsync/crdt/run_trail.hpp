// netsync: runs as bytes: where each stands (crdt/trail.hpp), how long it is, and its dots. In a state mostly three to four
// bytes a run.
#pragma once

#include <cstdint>
#include <netsync/crdt/run.hpp>
#include <netsync/crdt/trail.hpp>
#include <netsync/error.hpp>
#include <vector>

namespace netsync::detail {

/// What follows the length of a run: nothing, where it stands beside the one before; or the way to it. Its first dot is
/// told in full, or in a state, where it is of the bunch's own replica, from the last dot of that replica before.
enum class RunForm : std::uint8_t { next, away, away_under_another };

/// The counter after the last that was told, of each replica of a state.
class LastCounters {
   public:
    std::uint64_t& operator[](std::size_t position) {
        if (position >= ends_.size()) ends_.resize(position + 1, 1);
        return ends_[position];
    }

   private:
    std::vector<std::uint64_t> ends_;
};

template <class Archive>
class RunWriter {
   public:
    explicit RunWriter(Archive& out) : out_(out), trail_(out) {}

    void write(const Run& run) {
        const bool next = trail_.is_next(run.bunch, run.offset);
        const std::uint64_t more = std::uint64_t{run.length} - 1;
        if (out_.space().is_frame()) {
            out_.varint(more * 2 + (next ? 0 : 1));
            trail_.write(run.bunch, run.offset, run.length, next);
            out_(run.dot);
            return;
        }
        const bool own = id_of(run.dot.replica()) == run.bunch->name.replica;
        const RunForm form = !own ? RunForm::away_under_another : next ? RunForm::next : RunForm::away;
        out_.varint(more * 3 + static_cast<std::uint64_t>(form));
        trail_.write(run.bunch, run.offset, run.length, form == RunForm::next);
        const auto position = out_.space().position(id_of(run.dot.replica()));
        if (!own || !position) {
            out_(run.dot);
            return;
        }
        std::uint64_t& last = last_[*position];
        out_(static_cast<std::int64_t>(run.dot.counter() - last));
        last = run.dot.counter() + run.length;
    }

   private:
    Archive& out_;
    TrailWriter<Archive> trail_;
    LastCounters last_;
};

template <class Archive>
class RunReader {
   public:
    explicit RunReader(Archive& in) : in_(in), trail_(in) {}

    /// The next run, which lies after the one before and does not continue it; else the Input has failed. The caller
    /// holds bunch() while it reads on.
    Run read() {
        Run run;
        if (!in_.space()) return in_.fail(errc::malformed), run;
        const bool in_frame = in_.space()->is_frame();
        const std::uint64_t head = in_.varint(), forms = in_frame ? 2 : 3;
        const auto form = static_cast<RunForm>(head % forms);
        const std::uint64_t length = head / forms + 1;
        if (length > 2 * static_cast<std::uint64_t>(max_offset)) in_.fail(errc::malformed);
        bool tie = false;
        if (form == RunForm::next)
            trail_.read_next();
        else
            trail_.read([&] { return tie = true; });
        if (!in_.ok()) return run;
        run.bunch = trail_.bunch().get();
        run.offset = trail_.offset();
        run.length = static_cast<std::uint32_t>(length);
        trail_.finish(length);
        if (in_frame || form == RunForm::away_under_another)
            in_(run.dot);
        else
            read_own(run);
        if (!in_.ok() || run.dot.counter() + length > max_counter + 1) return in_.fail(errc::malformed), run;
        if (!in_.space()->contains(run.dot) || !in_.space()->contains(run.dot_at(run.length - 1)))
            in_.fail(errc::malformed);
        if (before_.length > 0 && before_.continues(run)) in_.fail(errc::malformed);
        if (tie && !precedes(before_.dot_at(before_.length - 1), run.dot)) in_.fail(errc::malformed);
        before_ = run;
        return run;
    }
    /// That of the last run.
    const BunchRef& bunch() const noexcept { return trail_.bunch(); }

   private:
    void read_own(Run& run) {
        const auto position = in_.space()->position(run.bunch->name.replica);
        std::int64_t further = 0;
        in_(further);
        if (!in_.ok() || !position) return in_.fail(errc::malformed);
        std::uint64_t& last = last_[*position];
        const std::uint64_t counter = last + static_cast<std::uint64_t>(further);
        if (counter == 0 || counter > max_counter) return in_.fail(errc::malformed);
        run.dot = Dot{in_.space()->range(*position).replica, counter};
        last = counter + run.length;
    }

    Archive& in_;
    TrailReader<Archive> trail_;
    LastCounters last_;
    Run before_;
};

}  // namespace netsync::detail
