// A folder for one test, gone with it.
#pragma once

#include <filesystem>
#include <random>
#include <string>

namespace {

class Folder {
   public:
    Folder() : path_(std::filesystem::temp_directory_path() / ("netsync-" + std::to_string(std::random_device{}()))) {
        std::filesystem::create_directory(path_);
    }
    ~Folder() {
        std::error_code none;
        std::filesystem::remove_all(path_, none);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string file(const std::string& name = "file.db") const { return (path_ / name).string(); }
    const std::filesystem::path& path() const { return path_; }

   private:
    std::filesystem::path path_;
};

}  // namespace
