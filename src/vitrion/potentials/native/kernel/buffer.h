// Memory aligned to cache lines that grows and is reused; what it holds is undefined until written.
#pragma once
#include <cstddef>
#include <new>
#include <utility>

namespace vitrion {

template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { release(); }

  // Return room for `count` values; earlier contents are lost if the buffer has to grow.
  T* reserve(size_t count) {
    if (count > capacity_) {
      release();
      const size_t grown = count + count / 4 + 16;
      data_ = static_cast<T*>(::operator new(grown * sizeof(T), std::align_val_t(64)));
      capacity_ = grown;
    }
    return data_;
  }
  T* data() { return data_; }
  const T* data() const { return data_; }

 private:
  void release() {
    if (data_) ::operator delete(data_, std::align_val_t(64));
    data_ = nullptr;
    capacity_ = 0;
  }
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
  }
  T* data_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace vitrion
