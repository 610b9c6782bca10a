# frozen_string_literal: true

# A Homebrew formula, for a tap of your own. A release puts the version and the sums in.
class CiCreds < Formula
  desc "Short-lived cloud credentials for GitLab CI jobs, from Vault or OpenBao"
  homepage "@REPOSITORY@"
  version "@VERSION@"
  license "Apache-2.0"

  # The shipped programs are Linux programs; macOS builds from source.
  depends_on :linux

  on_linux do
    on_intel do
      url "@REPOSITORY@/-/releases/@VERSION@/downloads/ci-creds-@VERSION@-linux-x86_64.tar.gz"
      sha256 "@SHA256_x86_64@"
    end
    on_arm do
      url "@REPOSITORY@/-/releases/@VERSION@/downloads/ci-creds-@VERSION@-linux-aarch64.tar.gz"
      sha256 "@SHA256_aarch64@"
    end
  end

  def install
    bin.install "ci-creds"
    man1.install Dir["man/man1/*.1"]
    bash_completion.install "completions/ci-creds.bash" => "ci-creds"
    zsh_completion.install "completions/_ci-creds"
    fish_completion.install "completions/ci-creds.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/ci-creds --version")
  end
end
