// The disk tier: what survives, what is refused, what is removed.
#include <unistd.h>

#include <fstream>

#include "hearth/kv/chunk_file.h"
#include "hearth/kv/store_test_support.h"

namespace hearth::kv {
namespace {

TEST_F(StoreTest, ChunksSurviveTheProcess) {
  const TestChain chain = test_chain(1, 55, 10);
  {
    const auto store = open(with_disk(10, 10));
    put_all(*store, chain);
  }
  const auto store = open(with_disk(10, 10));
  const StoredPrefix prefix = store->longest_prefix(chain.layout, chain.tokens);
  ASSERT_EQ(prefix.token_count(), 55u);
  EXPECT_EQ(prefix.chunks[0].tier, Tier::disk);
  for (const SharedChunk& chunk : chain.chunks) {
    const SharedChunk read = store->get(chunk->header.key).value();
    EXPECT_EQ(read->header, chunk->header);
    EXPECT_TRUE(same_bytes(read->payload, chunk->payload));
    EXPECT_EQ(store->get(chunk->header.key).value().get(), read.get()) << "kept in memory";
  }
  EXPECT_EQ(store->statistics().disk_hits, 6u);
  EXPECT_EQ(store->statistics().memory_hits, 6u);
  expect_clean_directory(directory_.path());
}

TEST_F(StoreTest, AMemoryCopyMayGoWhenTheDiskHasIt) {
  const auto store = open(with_disk(2, 10));
  const TestChain chain = test_chain(1, 60, 10);
  put_all(*store, chain);
  EXPECT_TRUE(store->missing(chain.keys()).empty());
  EXPECT_LE(store->statistics().memory_bytes, 2 * test_chunk_bytes);
  EXPECT_EQ(store->statistics().disk_chunks, 6u);
  for (const SharedChunk& chunk : chain.chunks) {
    EXPECT_TRUE(same_bytes(store->get(chunk->header.key).value()->payload, chunk->payload));
  }
}

TEST_F(StoreTest, ReadingFromDiskDisplacesNoLastCopy) {
  const SharedChunk on_disk = test_shared({.tokens = {1, 2, 3}});
  put_all(*open(with_disk(2, 4)), {test_layout(), {}, {on_disk}});
  const auto store = open(with_disk(2, 4));
  files_.set_disk_full(true);
  const SharedChunk only[] = {test_shared({.tokens = {4, 5, 6}}),
                              test_shared({.tokens = {7, 8, 9}})};
  for (const SharedChunk& chunk : only) ASSERT_TRUE(store->put(chunk));
  ASSERT_TRUE(store->flush(Deadline::never()));
  EXPECT_TRUE(store->get(on_disk->header.key));
  for (const SharedChunk& chunk : only) EXPECT_TRUE(store->contains(chunk->header.key));
}

TEST_F(StoreTest, TheDiskBudgetHoldsAndChainsGoFromTheirEnd) {
  const TestChain chain = test_chain(1, 40, 10);
  const auto store = open(with_disk(2, 4));
  put_all(*store, chain);
  for (Token i = 0; i < 2; ++i) {
    ASSERT_TRUE(store->put(test_shared({.tokens = {i}})));
    ASSERT_TRUE(store->flush(Deadline::never()));
  }
  EXPECT_EQ(store->longest_prefix(chain.layout, chain.tokens).token_count(), 20u);
  EXPECT_LE(expect_clean_directory(directory_.path()), 4 * test_chunk_bytes);
  EXPECT_EQ(store->statistics().disk_evictions, 2u);
}

TEST_F(StoreTest, OrderOfUseSurvivesACleanStop) {
  std::vector<ChunkKey> keys;
  {
    const auto store = open(with_disk(10, 3));
    for (Token i = 0; i < 3; ++i) {
      const SharedChunk chunk = test_shared({.tokens = {i}});
      keys.push_back(chunk->header.key);
      ASSERT_TRUE(store->put(chunk));
      ASSERT_TRUE(store->flush(Deadline::never()));
    }
    ASSERT_TRUE(store->get(keys[0]));
  }
  const auto store = open(with_disk(1, 3));
  ASSERT_TRUE(store->put(test_shared({.tokens = {9}})));
  ASSERT_TRUE(store->flush(Deadline::never()));
  EXPECT_EQ(store->missing(keys), std::vector<ChunkKey>{keys[1]});
}

TEST_F(StoreTest, ASmallerBudgetIsEnforcedAtTheStart) {
  const TestChain chain = test_chain(1, 60, 10);
  put_all(*open(with_disk(2, 10)), chain);
  const auto store = open(with_disk(2, 3));
  EXPECT_EQ(store->longest_prefix(chain.layout, chain.tokens).token_count(), 30u);
  EXPECT_EQ(expect_clean_directory(directory_.path()), 3 * test_chunk_bytes);
}

TEST_F(StoreTest, AFileTornAtAnyLengthIsNeverServed) {
  const SharedChunk chunk = test_shared();
  const Bytes whole = encode_chunk(*chunk);
  const auto path = path_of(chunk->header.key);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    // Found by the scan.
    write_raw(path, ByteSpan(whole).first(length));
    {
      const auto store = open(with_disk(4, 4));
      EXPECT_FALSE(store->contains(chunk->header.key)) << length;
      EXPECT_EQ(store->statistics().damaged_count, 1u) << length;
      EXPECT_FALSE(std::filesystem::exists(path)) << length;
    }
    // Found by the reader.
    write_raw(path, whole);
    const auto store = open(with_disk(4, 4));
    ASSERT_TRUE(store->contains(chunk->header.key));
    write_raw(path, ByteSpan(whole).first(length));
    EXPECT_EQ(store->get(chunk->header.key).error().code, Code::not_found) << length;
    EXPECT_FALSE(store->contains(chunk->header.key));
    EXPECT_EQ(store->statistics().damaged_count, 1u);
    EXPECT_FALSE(std::filesystem::exists(path));
    // And can be stored again.
    EXPECT_EQ(store->put(chunk).value(), PutOutcome::stored);
    ASSERT_TRUE(store->flush(Deadline::never()));
    EXPECT_TRUE(read_chunk_file(path, {}));
    std::filesystem::remove(path);
  }
}

TEST_F(StoreTest, ARottenPayloadIsFoundByGetAndByVerify) {
  const TestChain chain = test_chain(1, 30, 10);
  put_all(*open(with_disk(10, 10)), chain);
  const auto flip_last_byte = [&](std::size_t i) {
    Bytes bytes = encode_chunk(*chain.chunks[i]);
    bytes.back() ^= std::byte{1};
    write_raw(path_of(chain.chunks[i]->header.key), bytes);
  };
  const auto store = open(with_disk(10, 10));
  flip_last_byte(0);
  flip_last_byte(2);
  EXPECT_EQ(store->get(chain.keys()[0]).error().code, Code::not_found);
  const VerifyReport report = store->verify({});
  EXPECT_EQ(report.files, 2u);
  EXPECT_EQ(report.removed, 1u);
  ASSERT_EQ(report.damaged.size(), 1u);
  EXPECT_EQ(report.damaged[0].path, path_of(chain.keys()[2]));
  EXPECT_EQ(store->statistics().damaged_count, 2u);
  EXPECT_EQ(store->missing(chain.keys()).size(), 2u);
  EXPECT_EQ(get<std::int64_t>(to_json(report), "removed").value(), 1);
  StopSource stop;
  stop.request_stop();
  EXPECT_FALSE(store->verify(stop.token()).is_complete);
}

TEST_F(StoreTest, AGoodCopyInMemoryRepairsADamagedFile) {
  const SharedChunk chunk = test_shared();
  const auto store = open(with_disk(4, 4));
  ASSERT_TRUE(store->put(chunk));
  ASSERT_TRUE(store->flush(Deadline::never()));
  write_raw(path_of(chunk->header.key), as_byte_span("rubbish"));
  EXPECT_EQ(store->verify({}).damaged.size(), 1u);
  ASSERT_TRUE(store->flush(Deadline::never()));
  EXPECT_TRUE(read_chunk_file(path_of(chunk->header.key), {}));
}

TEST_F(StoreTest, AVanishedFileIsAbsentNotDamaged) {
  const SharedChunk chunk = test_shared();
  put_all(*open(with_disk(4, 4)), {test_layout(), {}, {chunk}});
  const auto store = open(with_disk(4, 4));
  std::filesystem::remove(path_of(chunk->header.key));
  EXPECT_EQ(store->get(chunk->header.key).error().code, Code::not_found);
  EXPECT_FALSE(store->contains(chunk->header.key));
  EXPECT_EQ(store->statistics().damaged_count, 0u);
}

TEST_F(StoreTest, OpensAFileForAnotherProcessToImport) {
  const SharedChunk chunk = test_shared();
  put_all(*open(with_disk(4, 4)), {test_layout(), {}, {chunk}});
  const auto store = open(with_disk(4, 4));
  const auto source = store->open_for_import(chunk->header.key).value();
  const ImportFile& file = std::get<ImportFile>(source);
  const auto mapped = map_chunk_file(file.path, {.layout = {}, .key = chunk->header.key});
  ASSERT_TRUE(mapped) << mapped.error().message;
  EXPECT_EQ(mapped->header(), chunk->header);
  // Gone meanwhile: whoever maps it hears so, and the store on being asked.
  std::filesystem::remove(file.path);
  EXPECT_EQ(map_chunk_file(file.path, {}).error().code, Code::not_found);
  EXPECT_EQ(store->get(chunk->header.key).error().code, Code::not_found);
  EXPECT_FALSE(store->contains(chunk->header.key));
  EXPECT_EQ(store->open_for_import(ChunkKey{}).error().code, Code::not_found);
}

TEST_F(StoreTest, StartRemovesWhatADeadWriterLeftAndLeavesForeignFiles) {
  const SharedChunk chunk = test_shared();
  put_all(*open(with_disk(4, 4)), {test_layout(), {}, {chunk}});
  auto newer = encode_chunk(*test_shared({.tokens = {77}}));
  newer[8] = std::byte{9};  // of a later format version
  const auto newer_path = path_of(test_chunk({.tokens = {77}}).header.key);
  write_raw(newer_path, newer);
  write_raw(directory_.path() / "store/ab/notes.txt", as_byte_span("mine"));
  const auto temporary = path_of(chunk->header.key).string() + ".12.0.tmp";
  write_raw(temporary, as_byte_span("half"));
  write_raw(directory_.path() / "store/pins.json.12.1.tmp", as_byte_span("half"));
  const auto store = open(with_disk(4, 4));
  EXPECT_EQ(store->statistics().temporaries_removed, 2u);
  EXPECT_EQ(store->statistics().foreign_files, 2u);
  EXPECT_FALSE(std::filesystem::exists(temporary));
  EXPECT_TRUE(std::filesystem::exists(newer_path));
  EXPECT_TRUE(store->get(chunk->header.key));
}

TEST_F(StoreTest, ACopyOfAFileInAnotherFolderIsNotOurs) {
  const SharedChunk chunk = test_shared();
  put_all(*open(with_disk(4, 4)), {test_layout(), {}, {chunk}});
  const auto right = path_of(chunk->header.key);
  const auto copy = directory_.path() / "store" / (right.parent_path().filename() == "00" ? "01" : "00") / right.filename();
  std::filesystem::create_directories(copy.parent_path());
  std::filesystem::copy_file(path_of(chunk->header.key), copy);
  const auto store = open(with_disk(4, 4));
  EXPECT_EQ(store->statistics().foreign_files, 1u);
  EXPECT_EQ(store->statistics().disk_chunks, 1u);
  EXPECT_TRUE(std::filesystem::exists(copy));
  EXPECT_TRUE(store->get(chunk->header.key));
}

TEST_F(StoreTest, AFileUnderAnotherKeysNameIsDamage) {
  const TestChain chain = test_chain(1, 20, 10);
  write_raw(path_of(chain.keys()[1]), encode_chunk(*chain.chunks[0]));
  const auto store = open(with_disk(4, 4));
  EXPECT_EQ(store->statistics().damaged_count, 1u);
  EXPECT_TRUE(store->list().empty());
}

TEST_F(StoreTest, PinsSurviveAndStayOwned) {
  const TestChain chain = test_chain(1, 20, 10);
  {
    const auto store = open(with_disk(4, 4));
    put_all(*store, chain);
    ASSERT_TRUE(store->pin(chain.keys(), "notes"));
    ASSERT_TRUE(store->pin(chain.keys(), "voice"));
    ASSERT_TRUE(store->unpin(chain.keys(), "voice"));
  }
  const auto store = open(with_disk(4, 4));
  EXPECT_EQ(store->pinned("notes").size(), 2u);
  EXPECT_TRUE(store->pinned("voice").empty());
  for (Token i = 0; i < 10; ++i) {
    ASSERT_TRUE(store->put(test_shared({.tokens = {i}})));
    ASSERT_TRUE(store->flush(Deadline::never()));
  }
  EXPECT_TRUE(store->missing(chain.keys()).empty());
}

TEST_F(StoreTest, DamagedPinsStopTheStartWithAWayOut) {
  put_all(*open(with_disk(4, 4)), test_chain(1, 20, 10));
  write_raw(directory_.path() / "store/pins.json", as_byte_span("{"));
  const auto store = ChunkStore::open(with_disk(4, 4), files_, clock_);
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().message.find("remove the file"), std::string::npos);
  std::filesystem::remove(directory_.path() / "store/pins.json");
  EXPECT_EQ(open(with_disk(4, 4))->list().size(), 2u);
}

TEST_F(StoreTest, ASecondWriterIsToldWhoHoldsWhichStoreAndWhatToDo) {
  auto first = open(with_disk(4, 4));
  const auto second = ChunkStore::open(with_disk(4, 4), files_, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::unavailable);
  EXPECT_EQ(second.error().message,
            "process " + std::to_string(::getpid()) + " writes to the chunk store " +
                (directory_.path() / "store").string() +
                ", and only one process may: wait until it ends or stop it, or use a store in "
                "another directory, or none");
  first.reset();
  EXPECT_TRUE(ChunkStore::open(with_disk(4, 4), files_, clock_)) << "the lock outlived its store";
}

TEST_F(StoreTest, AHolderThatLeftNoProcessIdIsNotMadeUp) {
  const auto first = open(with_disk(4, 4));
  for (const std::string_view text : {"", "12x", "\x1B[31m"}) {
    std::ofstream(directory_.path() / "store/writer.lock") << text;
    const auto second = ChunkStore::open(with_disk(4, 4), files_, clock_);
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().message.starts_with("another process writes to")) << text;
  }
}

TEST_F(StoreTest, AReaderSeesWhatTheWriterWritesAndChangesNothing) {
  const auto writer = open(with_disk(4, 4));
  const TestChain chain = test_chain(1, 20, 10);
  ASSERT_TRUE(writer->put(chain.chunks[0]));
  ASSERT_TRUE(writer->flush(Deadline::never()));
  StoreOptions options = with_disk(4, 4);
  options.is_read_only = true;
  const auto reader = open(options);
  EXPECT_TRUE(reader->get(chain.keys()[0]));
  EXPECT_EQ(reader->get(chain.keys()[1]).error().code, Code::not_found);
  ASSERT_TRUE(writer->put(chain.chunks[1]));
  ASSERT_TRUE(writer->flush(Deadline::never()));
  EXPECT_TRUE(reader->get(chain.keys()[1])) << "written after the reader's scan";
  EXPECT_EQ(reader->put(chain.chunks[0]).error().code, Code::permission);
  EXPECT_EQ(reader->pin(chain.keys(), "me").error().code, Code::permission);
  EXPECT_EQ(reader->gc().error().code, Code::permission);
}

TEST_F(StoreTest, AReaderReportsDamageAndLeavesTheFile) {
  const TestChain chain = test_chain(1, 20, 10);
  put_all(*open(with_disk(4, 4)), chain);
  StoreOptions options = with_disk(4, 4);
  options.is_read_only = true;
  const auto reader = open(options);
  const auto path = path_of(chain.keys()[0]);
  std::filesystem::resize_file(path, 300);
  const VerifyReport report = reader->verify({});
  EXPECT_EQ(report.damaged.size(), 1u);
  EXPECT_EQ(report.removed, 0u);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(StoreTest, GcRemovesWhatNoPromptCanFind) {
  const TestChain chain = test_chain(1, 50, 10);
  const TestChain other = test_chain(2, 30, 10);
  put_all(*open(with_disk(20, 20)), chain);
  std::filesystem::remove(path_of(chain.keys()[2]));
  const auto store = open(with_disk(20, 20));
  put_all(*store, other);
  ASSERT_TRUE(store->pin(std::span(&chain.keys()[4], 1), "notes"));
  ASSERT_TRUE(store->pin(std::vector<ChunkKey>{ChunkKey{}}, "notes"));
  write_raw(directory_.path() / "store/ab/x.tmp", as_byte_span("half"));
  write_raw(path_of(ChunkKey{}), as_byte_span("rubbish"));
  const GcReport report = store->gc().value();
  EXPECT_EQ(report.unreachable_removed, 1u);  // chunk 3; 4 is pinned
  EXPECT_EQ(report.bytes_freed, test_chunk_bytes);
  EXPECT_EQ(report.temporaries_removed, 1u);
  EXPECT_EQ(report.damaged_removed, 1u);
  EXPECT_EQ(report.pins_without_chunk, 1u);
  EXPECT_TRUE(store->missing(other.keys()).empty());
  EXPECT_EQ(store->missing(chain.keys()).size(), 2u);
  expect_clean_directory(directory_.path());
}

}  // namespace
}  // namespace hearth::kv
