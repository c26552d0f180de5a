// A CRDT of one's own: a flag that stays on while anybody holds it on. A few lines over a dot store of the library.
#include <cassert>
#include <netsync/netsync.hpp>
#include <string>

using netsync::Change;

/// Enabling wins over what is disabled at the same time. Each write lies under its own dot and takes away those that
/// its writer had seen; the flag is on while one of the writes that are left says so.
class EnableWinsFlag {
   public:
    [[nodiscard]] EnableWinsFlag enable(Change& change) const { return write(change, true); }
    [[nodiscard]] EnableWinsFlag disable(Change& change) const { return write(change, false); }
    bool is_on() const {
        return writes_.find_if([](const auto& write) { return write.value; }) != nullptr;
    }

    // What makes it causal (crdt/concept.hpp): the dot store does all of it.
    bool merge(const EnableWinsFlag& theirs, const netsync::Join& join) { return writes_.merge(theirs.writes_, join); }
    void for_each_dot(auto&& visit) const { writes_.for_each_dot(visit); }
    bool is_bottom() const { return writes_.is_bottom(); }
    void save(auto& archive) const { writes_.save(archive); }
    void load(auto& archive) { writes_.load(archive); }

   private:
    EnableWinsFlag write(Change& change, bool on) const {
        change.remove_all(writes_);
        EnableWinsFlag delta;
        delta.writes_ = {change.mint(), on};
        return delta;
    }

    netsync::DotFun<bool> writes_;
};

static_assert(netsync::causal_leaf<EnableWinsFlag>);

// Verbs of its own: anything that is called with the value and the change.
constexpr auto enable = [](const EnableWinsFlag& flag, Change& change) { return flag.enable(change); };
constexpr auto disable = [](const EnableWinsFlag& flag, Change& change) { return flag.disable(change); };

int main() {
    using Lights = netsync::OrMap<std::string, EnableWinsFlag>;  // room by room
    netsync::MemoryHub house;
    netsync::MemoryReplica<Lights> hall{house}, bedside{house};

    hall.update("kitchen", enable);
    house.run();
    assert(bedside.get("kitchen").is_on());

    hall.update("kitchen", enable);      // somebody comes in, just as
    bedside.update("kitchen", disable);  // somebody in bed turns the light off
    house.run();
    assert(hall.get("kitchen").is_on() && bedside.get("kitchen").is_on());

    bedside.update("kitchen", disable);
    house.run();
    assert(!hall.get("kitchen").is_on() && hall.digest() == bedside.digest());
}
