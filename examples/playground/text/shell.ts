const en = {
  title: "downhill playground",
  skip: "Skip to content",
  views: "Views",
  train: "Train",
  descend: "Descend",
  chapter: "Chapter",
  darkTheme: "Dark theme",
  otherLanguage: "한국어",
  notLoaded: "This view could not be loaded. Is the connection there? Load the page again.",
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
  notLoaded: "이 보기를 불러오지 못했습니다. 연결을 확인하고 페이지를 다시 불러오십시오.",
};

export const shellText = { en, ko };
