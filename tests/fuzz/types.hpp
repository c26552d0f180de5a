// One struct with every type in it, for the decoders.
#pragma once

#include <netsync/netsync.hpp>

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace fuzz {

struct HighestBid {
    int amount = 0;
    bool merge(const HighestBid& other) {
        if (other.amount <= amount) return false;
        amount = other.amount;
        return true;
    }
};

struct Value {
    std::optional<int> maybe{};
    std::variant<int, std::string> either{};
    std::map<std::string, std::vector<std::uint16_t>> map{};
    double number = 0;
    bool yes = false;
};

struct Folder {
    netsync::OrMap<std::string, Folder> children{};
    netsync::OrSet<std::string> files{};
};

struct Catalogue {
    netsync::GCounter g_counter{};
    netsync::ResettableCounter resettable{};
    netsync::BoundedCounter<> bounded{};
    netsync::MinRegister<int> least{};
    netsync::MvRegister<std::string> several{};
    netsync::EnableWinsFlag on{};
    netsync::DisableWinsFlag off{};
    netsync::TwoPhaseSet<int> two_phase{};
    netsync::RwSet<std::string> rw_set{};
    netsync::Bag<std::string> bag{};
    netsync::GMap<std::string, netsync::EnableWinsFlag> g_map{};
    netsync::LwwChoice<netsync::PnCounter, netsync::OrMap<int, netsync::RwSet<int>>> choice{};
};

struct Everything {
    netsync::OrSet<std::string> or_set{};
    netsync::GSet<int> g_set{};
    netsync::LwwSet<std::uint64_t> lww_set{};
    netsync::LwwRegister<Value> lww_register{};
    netsync::LwwMap<std::string, Value> lww_map{};
    netsync::PnCounter pn_counter{};
    netsync::OrMap<std::string, netsync::Joined<HighestBid>> or_map{};
    netsync::Owned<HighestBid> owned{};
    netsync::Owned<netsync::OrSet<int>> owned_set{};
    Folder folder{};
    Catalogue catalogue{};
};

}  // namespace fuzz
