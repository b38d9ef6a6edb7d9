const en = {
  title: "downhill playground",
  skip: "Skip to content",
  views: "Views",
  train: "Train",
  descend: "Descend",
  chapter: "Chapter",
  darkTheme: "Dark theme",
  otherLanguage: "한국어",
};

const ko: typeof en = {
  title: "downhill 놀이터",
  skip: "본문으로 건너뛰기",
  views: "보기",
  train: "학습",
  descend: "하강",
  chapter: "교재",
  darkTheme: "어두운 테마",
  otherLanguage: "English",
};

export const shellText = { en, ko };
